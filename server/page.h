/* page: how a list is cut into pages of ascending id.
 *
 * A list handler embeds struct page_query in its query struct, puts PAGE_FIELDS in its table, calls
 * page_begin, writes one item more than it was asked for into page_item (which counts and drops the
 * surplus), and page_end. Cursors are opaque, name their list, and carry a check, so that one made
 * up or taken from another list is refused. A cursor holds the last id seen, not a position: rows
 * inserted or deleted meanwhile move nothing.
 */
#ifndef MOEPLAN_SERVER_PAGE_H
#define MOEPLAN_SERVER_PAGE_H

#include <stddef.h>

#include "server/answer.h"

enum { PAGE_LIMIT_DEFAULT = 100, PAGE_LIMIT_MAX = 1000, PAGE_CURSOR_MAX = 200 };

/* Which list a cursor belongs to: the first byte inside it. */
enum page_list {
    PAGE_STUDIES = 's',
    PAGE_EXPERIMENTS = 'e',
    PAGE_FITS = 'f',
    PAGE_LAWS = 'l',
    PAGE_RESIDUALS = 'r',
    PAGE_GPUS = 'g',
};

struct page_query {
    int64_t limit; /* 0: not given */
    const char *cursor, *fields;
};

#define PAGE_FIELDS(type, member)                                                                  \
    {.name = "limit",                                                                              \
     .kind = FIELD_INTEGER,                                                                        \
     .offset = offsetof(type, member.limit),                                                       \
     .min = 1,                                                                                     \
     .max = PAGE_LIMIT_MAX,                                                                        \
     .fallback = "100",                                                                            \
     .help = "How many items a page holds."},                                                      \
        {.name = "cursor",                                                                         \
         .kind = FIELD_TEXT,                                                                       \
         .offset = offsetof(type, member.cursor),                                                  \
         .max = PAGE_CURSOR_MAX,                                                                   \
         .help = "Where to go on: `next_cursor` of the page before."},                             \
    {                                                                                              \
        .name = "fields", .kind = FIELD_TEXT, .offset = offsetof(type, member.fields),             \
        .max = 2000,                                                                               \
        .help = "The members to keep, separated by commas: of each item, or of the page itself."   \
    }

struct page {
    struct call *call;
    enum page_list list;
    size_t limit, count;
    const char *after; /* the id the page starts behind, as text; NULL at the start */
    bool more;         /* there was one item more than the limit */
    const char *last;  /* id of the last item written, as text */
    struct out out;    /* the page */
    struct out item;   /* the item being written; page_item appends it */
};

/* Reads the query and opens the page. members: every name an item has, ended by NULL. ERR_INVALID
 * for a cursor that is not this list's and for an unknown member. Returns the call's first error so
 * far, as answer_select does. */
enum err_code page_begin(struct page *page, struct call *call, enum page_list list,
                         const struct page_query *query, const char *const *members);

/* The id behind which the page starts as a number, 0 at the start. For lists of integer ids. */
int64_t page_after_id(const struct page *page);

/* Whether another item is wanted: false, remembering that there is more, once the page is full. To
 * be asked before page->item is written. */
bool page_wants(struct page *page);

/* Appends page->item, whose id is given, and clears it for the next. */
void page_item(struct page *page, const char *id);
void page_item_id(struct page *page, int64_t id);

/* Closes the page, adds Link unless that would be too long for a header, replies 200. */
enum err_code page_end(struct page *page);

/* Adds the Link that leads on behind an id. For answers that are not JSON, and have nothing else
 * that does: ERR_INVALID when it would be too long. */
enum err_code page_link(struct call *call, enum page_list list, int64_t id);

#endif
