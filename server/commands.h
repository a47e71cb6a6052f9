/* commands: the sub-commands of the binary, one file each: cmd_*.c. They return the exit status:
 * 0 well, 1 failed, 2 not understood. argv is without the program's and the sub-command's names.
 */
#ifndef MOEPLAN_SERVER_COMMANDS_H
#define MOEPLAN_SERVER_COMMANDS_H

enum { EXIT_STATUS_OK = 0, EXIT_STATUS_FAILED = 1, EXIT_STATUS_USAGE = 2 };

/* Runs the daemon until SIGTERM or SIGINT. */
int cmd_serve(int argc, char **argv, char **environment);

/* Asks a running daemon's /readyz: 0 when it is ready. */
int cmd_health(int argc, char **argv, char **environment);

#endif
