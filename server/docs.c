/* docs: GET /docs: the interface as a plain page, made from the tables that serve it. It needs no
 * script and nothing from elsewhere. */
#include <string.h>

#include "server/answer.h"
#include "server/handlers.h"
#include "server/openapi.h"
#include "server/problem.h"
#include "server/warning.h"

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>moeplan: the interface</title>\n"
    "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 "
    "1rem;"
    "color:#222;background:#fff}h2{margin-top:2.5rem}h3{margin-top:2rem}code{font-size:.95em}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;"
    "padding:.25rem .75rem .25rem 0;border-top:1px solid #ddd}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}a{color:#8cf}"
    "th,td{border-color:#444}}</style>\n"
    "<h1>moeplan: the interface</h1>\n"
    "<p>The same as <a href=\"/openapi.json\">openapi.json</a>. Quantities are in base units: "
    "parameters, tokens, FLOPs, bytes, seconds. Query strings also take suffixes: counts "
    "<code>K M B T</code>, bytes <code>B kB MB GB TB KiB MiB GiB TiB</code>, durations "
    "<code>s m h d w</code>. An unknown field or parameter is an error.</p>\n";

static void write_text(struct out *out, const char *text)
{
    for (; *text != '\0'; text++) {
        size_t plain = strcspn(text, "&<>\"");

        out_bytes(out, text, plain);
        text += plain;
        if (*text == '\0')
            return;
        out_printf(out, "&#%d;", *text);
    }
}

static void write_field(struct out *out, const struct field *field, bool in_patch)
{
    out_printf(out, "<tr><td><code>%s</code><td>", field->name);
    write_text(out, field->help);
    for (size_t i = 0; field->choices != NULL && field->choices[i] != NULL; i++)
        out_printf(out, "%s<code>%s</code>", i == 0 ? " One of " : ", ", field->choices[i]);
    if (field->choices != NULL)
        out_printf(out, ".");
    out_printf(out, "<td>");
    write_text(out, field->unit != NULL ? field->unit : "");
    out_printf(out, "<td>");
    if (field->required && !in_patch)
        out_printf(out, "required");
    else
        write_text(out, field->fallback != NULL ? field->fallback : "");
    out_printf(out, "\n");
}

static void write_table(struct out *out, const char *caption, const struct field *fields,
                        size_t count, bool in_patch)
{
    if (count == 0)
        return;
    out_printf(out, "<table><thead><tr><th>%s<th>meaning<th>unit<th>default<tbody>\n", caption);
    for (size_t i = 0; i < count; i++)
        write_field(out, &fields[i], in_patch);
    out_printf(out, "</table>\n");
}

static void write_route(struct out *out, const struct route *route)
{
    int statuses[OPENAPI_STATUSES_MAX];

    out_printf(out, "<h3 id=\"%s\"><code>%s %s</code></h3>\n<p>", route->operation,
               method_name(route->method), route->path);
    write_text(out, route->help);
    out_printf(out, "</p>\n");
    write_table(out, "parameter", route->query, route->n_query, false);
    if (route->filters)
        out_printf(
            out,
            "<p>And filters on every field of a run: <code>field=a,b</code>, "
            "<code>field_min</code>, <code>field_max</code>, <code>tag.NAME=a,b</code>.</p>\n");
    write_table(out, "body", route->body, route->n_body, route->method == METHOD_PATCH);
    if (route->body_types != NULL)
        out_printf(out, "<p>Body: <code>%s</code></p>\n", route->body_types);
    out_printf(out, "<p>Answers:");
    openapi_statuses(route, statuses);
    for (size_t i = 0; statuses[i] != 0; i++)
        out_printf(out, "%s <span title=\"%s\">%d</span>", i == 0 ? "" : ",",
                   openapi_reason(statuses[i]), statuses[i]);
    out_printf(out, "</p>\n");
}

static void write_errors(struct out *out)
{
    out_printf(out, "<h2>Errors</h2>\n<p>Errors are RFC 9457 problem documents; "
                    "<code>code</code> is stable, <code>errors</code> names every bad field.</p>\n"
                    "<table><thead><tr><th>code<th>status<th>meaning<tbody>\n");
    for (int code = ERR_OK + 1; code < ERR_CODE_COUNT; code++)
        out_printf(out, "<tr id=\"%s\"><td><code>%s</code><td>%d<td>%s\n",
                   err_name((enum err_code)code), err_name((enum err_code)code),
                   problem_status((enum err_code)code), err_title((enum err_code)code));
    out_printf(out, "</table>\n");
}

static void write_warnings(struct out *out)
{
    out_printf(out,
               "<h2 id=\"warnings\">Warnings</h2>\n<p>What stands in <code>warnings</code>: the "
               "answer holds, with this to know. <code>code</code> is stable, "
               "<code>detail</code> has the figures. A fit in the background that failed says "
               "why by the codes of errors.</p>\n"
               "<table><thead><tr><th>code<th>meaning<th>what to do<th>of<tbody>\n");
    for (size_t i = 0; i < warning_count(); i++) {
        const struct warning *warning = warning_at(i);

        out_printf(out, "<tr id=\"w-%s\"><td><code>%s</code><td>", warning->code, warning->code);
        write_text(out, warning->meaning);
        out_printf(out, "<td>");
        write_text(out, warning->remedy);
        out_printf(out, "<td>%s\n", warning->of);
    }
    out_printf(out, "</table>\n</html>\n");
}

enum err_code docs_read(struct call *call)
{
    static const char policy[] = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
                                 "frame-ancestors 'none'";
    struct out out;
    enum err_code code = answer_no_query(call);

    if (code != ERR_OK)
        return code;
    out_init(&out, &call->arena);
    out_bytes(&out, head, sizeof head - 1);
    out_printf(&out, "<h2>Routes</h2>\n");
    for (size_t i = 0; i < route_count(); i++)
        write_route(&out, route_at(i));
    write_errors(&out);
    write_warnings(&out);
    reply_header(call, "Content-Security-Policy", policy);
    return answer_text(call, 200, &out, "text/html; charset=utf-8");
}
