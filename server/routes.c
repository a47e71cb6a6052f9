/* The route table: one row a route. Literal paths stand before those with {parameters} they could
 * be mistaken for; route.c searches in order. */
#include "server/handlers.h"
#include "server/route.h"

#define TEXT_METRICS "text/plain,application/openmetrics-text"

static const struct route routes[] = {
    /* Operations */
    {
        .method = METHOD_GET,
        .path = "/livez",
        .lane = LANE_INLINE,
        .scope = SCOPE_NONE,
        .handler = operations_livez,
        .operation = "getLivez",
        .help = "Whether the process answers; never touches the database.",
        .reply_schema = "Status",
        .statuses = "200",
    },
    {
        .method = METHOD_GET,
        .path = "/readyz",
        .lane = LANE_READER,
        .scope = SCOPE_NONE,
        .handler = operations_readyz,
        .operation = "getReadyz",
        .help = "Whether requests should be sent here: 503 while draining.",
        .reply_schema = "Status",
        .statuses = "200,503",
    },
    {
        .method = METHOD_GET,
        .path = "/healthz",
        .lane = LANE_READER,
        .scope = SCOPE_NONE,
        .handler = operations_readyz,
        .operation = "getHealthz",
        .help = "The same as /readyz.",
        .reply_schema = "Status",
        .statuses = "200,503",
    },
    {
        .method = METHOD_GET,
        .path = "/metrics",
        .lane = LANE_READER,
        .scope = SCOPE_READ,
        .handler = operations_metrics,
        .operation = "getMetrics",
        .help = "Prometheus text 0.0.4, or OpenMetrics 1.0 by Accept.",
        .reply_types = TEXT_METRICS,
        .statuses = "200,503",
    },
    {
        .method = METHOD_GET,
        .path = "/v1/version",
        .lane = LANE_INLINE,
        .scope = SCOPE_READ,
        .handler = operations_version,
        .operation = "getVersion",
        .help = "The program's version, the database schema's and the libraries'.",
        .reply_schema = "Version",
        .statuses = "200,304",
    },
    {
        .method = METHOD_POST,
        .path = "/v1/backup",
        .lane = LANE_READER,
        .scope = SCOPE_WRITE,
        .handler = operations_backup,
        .operation = "createBackup",
        .help = "Writes a consistent, checked copy of the database into --backup-dir.",
        .reply_schema = "Backup",
        .statuses = "201,403,503,507",
    },

    /* The page */
    {
        .method = METHOD_GET,
        .path = "/",
        .lane = LANE_INLINE,
        .scope = SCOPE_NONE,
        .handler = assets_page,
        .operation = "getPage",
        .help = "The page.",
        .reply_types = "text/html",
        .statuses = "200,304",
    },
    {
        .method = METHOD_GET,
        .path = "/static/vendor/{file}",
        .lane = LANE_INLINE,
        .scope = SCOPE_NONE,
        .handler = assets_vendor,
        .operation = "getVendorFile",
        .help = "A library the page uses.",
        .reply_types = "*/*",
        .statuses = "200,304,404",
    },
    {
        .method = METHOD_GET,
        .path = "/static/{file}",
        .lane = LANE_INLINE,
        .scope = SCOPE_NONE,
        .handler = assets_static,
        .operation = "getStaticFile",
        .help = "A part of the page.",
        .reply_types = "*/*",
        .statuses = "200,304,404",
    },
    {
        .method = METHOD_GET,
        .path = "/examples/{file}",
        .lane = LANE_INLINE,
        .scope = SCOPE_NONE,
        .handler = assets_example,
        .operation = "getExample",
        .help = "A sample study to post.",
        .reply_types = "*/*",
        .statuses = "200,304,404",
    },
};

size_t route_count(void)
{
    return sizeof routes / sizeof routes[0];
}

const struct route *route_at(size_t index)
{
    return &routes[index];
}
