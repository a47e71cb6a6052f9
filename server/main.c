#include <stdio.h>
#include <string.h>

#include "server/app.h"
#include "server/commands.h"

extern char **environ;

static const struct {
    const char *name, *help;
    int (*run)(int argc, char **argv, char **environment);
} commands[] = {
    {"serve", "run the daemon; `moeplan serve --help` lists every option and limit", cmd_serve},
    {"health", "ask the daemon at --listen whether it is ready; for container health checks",
     cmd_health},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void usage(FILE *file)
{
    fputs("moeplan: scaling laws and plans for mixture-of-experts models, over HTTP\n\n", file);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(file, "  moeplan %-9s %s\n", commands[i].name, commands[i].help);
    fputs("  moeplan --version\n  moeplan --help\n", file);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2, environ);
    if (strcmp(name, "--version") == 0) {
        puts("moeplan " MOEPLAN_VERSION);
        return EXIT_STATUS_OK;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        usage(stdout);
        return EXIT_STATUS_OK;
    }
    if (*name != '\0')
        fprintf(stderr, "moeplan: there is no command '%s'\n\n", name);
    usage(stderr);
    return EXIT_STATUS_USAGE;
}
