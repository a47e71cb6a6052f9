#include "server/out.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/instant.h"
#include "server/number.h"
#include "server/utf8.h"

enum { FIRST_BYTES = 4096 };
_Static_assert(OUT_SEEN == 64, "put_number takes six bits");

/* What follows the backslash: 'u' for \u00XX, 0 where the byte stands for itself. */
static const char escapes[256] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b',         't',           'n', 'u',
    'f', 'r', 'u', 'u', 'u', 'u', 'u', 'u', 'u',         'u',           'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', ['"'] = '"', ['\\'] = '\\',
};

void out_init(struct out *out, struct arena *arena)
{
    out->arena = arena;
    out->text = NULL;
    out->room = 0;
    out->failed = false;
    out->initials = 0;
    out->n_select = 0; /* what is selected need not be cleared */
    out_clear(out);
}

void out_clear(struct out *out)
{
    out->length = 0;
    out->depth = 0;
    out->skipped = 0;
    out->comma[0] = false;
    out->has_seen = 0;
}

/* A bit for each letter. */
static uint32_t initial(const char *name)
{
    return UINT32_C(1) << (*name & 31);
}

void out_select(struct out *out, const char *names)
{
    for (const char *at = names; *at != '\0' && out->n_select < OUT_SELECT_MAX;) {
        size_t length = (size_t)(strchrnul(at, ',') - at);
        out->initials |= initial(at);
        out->select[out->n_select] = at;
        out->select_length[out->n_select++] = length;
        at += length + (at[length] == ',');
    }
}

bool out_wants(const struct out *out, const char *member)
{
    if ((out->initials & initial(member)) == 0 && out->n_select > 0)
        return false;
    for (size_t i = 0; i < out->n_select; i++)
        if (strncmp(out->select[i], member, out->select_length[i]) == 0 &&
            member[out->select_length[i]] == '\0')
            return true;
    return out->n_select == 0;
}

/* Doubles the buffer, in its place where it can, until size more bytes and a terminator fit; false
 * when memory has run out. */
static bool grow(struct out *out, size_t size)
{
    if (out->failed)
        return false;
    size_t room = out->room == 0 ? FIRST_BYTES : out->room;
    while (room - out->length <= size && room <= SIZE_MAX / 2)
        room *= 2;
    bool fits = room - out->length > size;
    if (fits && out->room > 0 && arena_extend(out->arena, out->text, out->room, room)) {
        out->room = room;
        return true;
    }
    char *text = fits ? arena_alloc(out->arena, room) : NULL;
    if (text == NULL) {
        out->failed = true;
        out->room = out->length; /* so that there is no room from now on */
        return false;
    }
    if (out->length > 0)
        memcpy(text, out->text, out->length);
    out->text = text;
    out->room = room;
    return true;
}

/* Makes room for size more bytes and a terminator; false when memory has run out. */
static inline bool reserve(struct out *out, size_t size)
{
    return size < out->room - out->length || grow(out, size);
}

/* One character that utf8_plain stopped at; returns how many bytes it took. */
static size_t put_special(struct out *out, const char *text, size_t length)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char byte = (unsigned char)text[0];
    char *at = out->text + out->length;
    if (byte >= 0x80) {
        size_t bytes = utf8_character(text, length);
        if (bytes == 0)
            text = "\xEF\xBF\xBD"; /* U+FFFD */
        size_t put = bytes == 0 ? 3 : bytes;
        memcpy(at, text, put);
        out->length += put;
        return bytes == 0 ? 1 : bytes;
    }
    at[0] = '\\';
    at[1] = escapes[byte];
    out->length += 2;
    if (escapes[byte] == 'u') {
        memcpy(at + 2, "00", 2);
        at[4] = hex[byte >> 4];
        at[5] = hex[byte & 0xF];
        out->length += 4;
    }
    return 1;
}

static void put_quoted(struct out *out, const char *text, size_t length)
{
    enum { SPECIAL_BYTES = 6 };
    if (!reserve(out, length + 2))
        return;
    out->text[out->length++] = '"';
    for (;;) {
        size_t plain = utf8_copy_plain(text, length, out->text + out->length);
        out->length += plain;
        text += plain;
        length -= plain;
        if (length == 0)
            break;
        /* Room for this character at its longest, the rest as it is, and the quote. */
        if (!reserve(out, SPECIAL_BYTES + length + 1))
            return;
        size_t taken = put_special(out, text, length);
        text += taken;
        length -= taken;
    }
    out->text[out->length++] = '"';
}

/* `"name":` of a name with something to escape, and room behind it. */
__attribute__((noinline)) static bool put_quoted_name(struct out *out, const char *name,
                                                      size_t length, size_t room)
{
    put_quoted(out, name, length);
    if (!reserve(out, 1 + room))
        return false;
    out->text[out->length++] = ':';
    return true;
}

/* The comma and the name before a value, and room for `room` bytes of it; false when the value is
 * not to be written. */
static bool put_name(struct out *out, const char *name, size_t room)
{
    if (out->skipped > 0)
        return false;
    if (out->n_select > 0 && out->depth == 1 && name != NULL && !out_wants(out, name))
        return false;
    size_t length = name != NULL ? strlen(name) : 0;
    if (!reserve(out, sizeof ",\"\":" - 1 + length + room))
        return false;
    char *at = out->text + out->length;
    bool *comma = &out->comma[out->depth];
    *at = ',';
    at += *comma;
    *comma = true;
    if (name != NULL) {
        if (utf8_copy_plain(name, length, at + 1) < length) {
            out->length = (size_t)(at - out->text);
            return put_quoted_name(out, name, length, room);
        }
        at[0] = '"';
        at[length + 1] = '"';
        at[length + 2] = ':';
        at += length + 3;
    }
    out->length = (size_t)(at - out->text);
    return true;
}

static void begin(struct out *out, const char *name, char bracket)
{
    if (out->skipped > 0 || !put_name(out, name, 1)) {
        out->skipped++;
        return;
    }
    assert(out->depth < OUT_DEPTH_MAX);
    out->text[out->length++] = bracket;
    out->comma[++out->depth] = false;
}

static void end(struct out *out, char bracket)
{
    if (out->skipped > 0) {
        out->skipped--;
        return;
    }
    assert(out->depth > 0);
    out->depth--;
    if (reserve(out, 1))
        out->text[out->length++] = bracket;
}

void out_object_begin(struct out *out, const char *name)
{
    begin(out, name, '{');
}

void out_object_end(struct out *out)
{
    end(out, '}');
}

void out_array_begin(struct out *out, const char *name)
{
    begin(out, name, '[');
}

void out_array_end(struct out *out)
{
    end(out, ']');
}

static void put_literal(struct out *out, const char *name, const char *literal, size_t length)
{
    if (!put_name(out, name, length))
        return;
    memcpy(out->text + out->length, literal, length);
    out->length += length;
}

/* Writes a value where there is room for NUMBER_BYTES; returns its end. */
static inline char *put_number(struct out *out, double value, char *at)
{
    enum { LONGEST = 24 }; /* -2.2250738585072014e-308 */
    int64_t whole;
    if (number_is_whole(value, &whole)) {
        *at = (char)('0' + whole); /* most are a digit */
        return (uint64_t)whole < 10 ? at + 1 : at + number_write_integer(whole, at);
    }
    if (!isfinite(value)) {
        memcpy(at, "null", 4);
        return at + 4;
    }
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    unsigned place = (unsigned)(bits * UINT64_C(0x9E3779B97F4A7C15) >> 58);
    struct out_seen *seen = &out->seen[place];
    if ((out->has_seen >> place & 1) && seen->bits == bits) {
        char text[LONGEST]; /* the two may overlap */
        memcpy(text, out->text + seen->at, LONGEST);
        memcpy(at, text, LONGEST);
        return at + seen->length;
    }
    size_t length = number_write_fraction(value, at), from = (size_t)(at - out->text);
    if (from <= UINT32_MAX) {
        out->has_seen |= UINT64_C(1) << place;
        *seen = (struct out_seen){bits, (uint32_t)from, (uint32_t)length};
    }
    return at + length;
}

static char *put_bool(bool value, char *at)
{
    memcpy(at, value ? "true " : "false", sizeof "false" - 1);
    return at + (value ? 4 : 5);
}

void out_number(struct out *out, const char *name, double value)
{
    if (put_name(out, name, NUMBER_BYTES))
        out->length = (size_t)(put_number(out, value, out->text + out->length) - out->text);
}

void out_integer(struct out *out, const char *name, int64_t value)
{
    if (put_name(out, name, NUMBER_BYTES))
        out->length += number_write_integer(value, out->text + out->length);
}

void out_bool(struct out *out, const char *name, bool value)
{
    put_literal(out, name, value ? "true" : "false", value ? 4 : 5);
}

void out_null(struct out *out, const char *name)
{
    put_literal(out, name, "null", 4);
}

void out_text(struct out *out, const char *name, const char *value)
{
    if (value == NULL)
        out_null(out, name);
    else
        out_text_length(out, name, value, strlen(value));
}

void out_text_length(struct out *out, const char *name, const char *value, size_t length)
{
    if (put_name(out, name, length + 2))
        put_quoted(out, value, length);
}

void out_constant(struct out *out, const char *name, const char *value)
{
    size_t length = strlen(value);
    if (!put_name(out, name, length + 2))
        return;
    char *at = out->text + out->length;
    at[0] = '"';
    memcpy(at + 1, value, length);
    at[length + 1] = '"';
    out->length += length + 2;
}

void out_numbers(struct out *out, const char *name, const double *values, size_t count)
{
    out_array_begin(out, name);
    for (size_t i = 0; i < count && out->skipped == 0; i++)
        out_number(out, NULL, values[i]);
    out_array_end(out);
}

void out_members(struct out *out, const struct out_member *table, size_t count, const void *values)
{
    if (out->skipped > 0 || !reserve(out, count * (OUT_KEY_BYTES + NUMBER_BYTES)))
        return;
    assert(out->depth > 1 && out->length > 0);
    /* Where there is to be no comma, the first takes the bracket's place until all is written. */
    bool comma = out->comma[out->depth];
    char *at = out->text + out->length - !comma, *start = at, bracket = *at;
    out->comma[out->depth] = comma || count > 0;
    for (const struct out_member *row = table; row < table + count; row++) {
        const void *value = (const char *)values + row->offset;
        /* All of the key's room: a copy of fixed size is a few instructions. */
        memcpy(at, row->key, OUT_KEY_BYTES);
        at += row->length;
        if (row->kind == OUT_DOUBLE)
            at = put_number(out, *(const double *)value, at);
        else if (row->kind == OUT_BOOL)
            at = put_bool(*(const bool *)value, at);
    }
    if (!comma)
        *start = bracket;
    out->length = (size_t)(at - out->text);
}

void out_repeat(struct out *out, size_t from, size_t to)
{
    assert(from <= to && to <= out->length);
    if (from == to || !put_name(out, NULL, to - from))
        return;
    memcpy(out->text + out->length, out->text + from, to - from);
    out->length += to - from;
}

void out_time(struct out *out, const char *name, int64_t us)
{
    char text[INSTANT_BYTES];
    size_t length = instant_write(us, text);
    if (length == 0)
        out_null(out, name);
    else
        out_text_length(out, name, text, length);
}

void out_raw(struct out *out, const char *name, const char *json, size_t length)
{
    put_literal(out, name, json, length);
}

void out_bytes(struct out *out, const char *bytes, size_t length)
{
    if (length == 0 || !reserve(out, length))
        return;
    memcpy(out->text + out->length, bytes, length);
    out->length += length;
}

void out_printf(struct out *out, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t room = out->room - out->length;
    int length = vsnprintf(room > 0 ? out->text + out->length : NULL, room, format, args);
    if (length >= 0 && (size_t)length >= room && reserve(out, (size_t)length))
        vsnprintf(out->text + out->length, (size_t)length + 1, format, again);
    if (length >= 0 && (size_t)length < out->room - out->length)
        out->length += (size_t)length;
    else
        out->failed = true;
    va_end(again);
    va_end(args);
}

enum err_code out_finish(struct out *out, const char **ret_text, size_t *ret_length,
                         struct err *err)
{
    if (!reserve(out, 0) || out->failed)
        return err_set(err, ERR_NO_MEMORY, "the answer is larger than the limit");
    assert(out->depth == 0 && out->skipped == 0);
    out->text[out->length] = '\0';
    *ret_text = out->text;
    *ret_length = out->length;
    return ERR_OK;
}
