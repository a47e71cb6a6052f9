#include "server/instant.h"

#include <string.h>

enum { SECONDS_PER_DAY = 86400 };

static const int64_t us_per_second = 1000000;
static const int64_t us_first = INT64_C(-62167219200) * 1000000;    /* 0000-01-01T00:00:00Z */
static const int64_t us_last = INT64_C(253402300800) * 1000000 - 1; /* the end of 9999 */

/* Days from 1970-01-01. Years are counted from March, so that the leap day is the last of its year,
 * and in eras of 400 years = 146097 days, so that all divisions are of non-negative numbers. */
static int64_t days_from_date(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t m = (5 * day_of_year + 2) / 153;
    *ret_day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
    *ret_month = (int)(m < 10 ? m + 3 : m - 9);
    *ret_year = (int)(year_of_era + era * 400 + (*ret_month <= 2));
}

static void put_digits(char *text, int count, int64_t value)
{
    for (int i = count - 1; i >= 0; i--) {
        text[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

size_t instant_write(int64_t us, char ret_text[INSTANT_BYTES])
{
    if (us < us_first || us > us_last)
        return 0;
    int64_t since = us - us_first; /* not negative: plain division rounds down */
    int64_t seconds = since / us_per_second, fraction = since % us_per_second;
    int64_t day_seconds = seconds % SECONDS_PER_DAY;
    int year, month, day;
    date_from_days(seconds / SECONDS_PER_DAY + us_first / us_per_second / SECONDS_PER_DAY, &year,
                   &month, &day);
    memcpy(ret_text, "0000-00-00T00:00:00", 19);
    put_digits(ret_text, 4, year);
    put_digits(ret_text + 5, 2, month);
    put_digits(ret_text + 8, 2, day);
    put_digits(ret_text + 11, 2, day_seconds / 3600);
    put_digits(ret_text + 14, 2, day_seconds / 60 % 60);
    put_digits(ret_text + 17, 2, day_seconds % 60);
    size_t n = 19;
    if (fraction != 0) {
        ret_text[n] = '.';
        put_digits(ret_text + n + 1, 6, fraction);
        n += 7;
        while (ret_text[n - 1] == '0')
            n--;
    }
    ret_text[n++] = 'Z';
    return n;
}

/* Reads exactly count digits; false when one is not. */
static bool take_digits(const char **at, const char *end, int count, int *ret_value)
{
    int value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (*at == end || **at < '0' || **at > '9')
            return false;
        value = value * 10 + (**at - '0');
    }
    *ret_value = value;
    return true;
}

/* One byte of set. */
static bool take_one(const char **at, const char *end, const char *set)
{
    if (*at == end || **at == '\0' || !strchr(set, **at))
        return false;
    (*at)++;
    return true;
}

static bool take_fraction(const char **at, const char *end, int64_t *ret_us)
{
    int64_t us = 0, scale = us_per_second;
    if (!take_one(at, end, "."))
        return true;
    const char *first = *at;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        scale /= 10; /* 0 from the seventh digit on */
        us += (**at - '0') * scale;
    }
    *ret_us = us;
    return *at > first;
}

/* Seconds east of UTC. */
static bool take_offset(const char **at, const char *end, int *ret_seconds)
{
    int hours, minutes;
    if (take_one(at, end, "Zz")) {
        *ret_seconds = 0;
        return true;
    }
    bool west = *at < end && **at == '-';
    if (!take_one(at, end, "+-") || !take_digits(at, end, 2, &hours) || !take_one(at, end, ":") ||
        !take_digits(at, end, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_seconds = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

static bool is_date(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= days[month - 1] + (leap && month == 2);
}

bool instant_read(const char *text, size_t length, int64_t *ret_us)
{
    const char *at = text, *end = text + length;
    int year, month, day, hour, minute, second, offset;
    int64_t fraction = 0;
    if (!take_digits(&at, end, 4, &year) || !take_one(&at, end, "-") ||
        !take_digits(&at, end, 2, &month) || !take_one(&at, end, "-") ||
        !take_digits(&at, end, 2, &day) || !take_one(&at, end, "Tt") ||
        !take_digits(&at, end, 2, &hour) || !take_one(&at, end, ":") ||
        !take_digits(&at, end, 2, &minute) || !take_one(&at, end, ":") ||
        !take_digits(&at, end, 2, &second) || !take_fraction(&at, end, &fraction) ||
        !take_offset(&at, end, &offset) || at != end)
        return false;
    if (!is_date(year, month, day) || hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t seconds = days_from_date(year, month, day) * SECONDS_PER_DAY + hour * 3600 +
                      minute * 60 + second - offset;
    if (second == 60 && seconds % SECONDS_PER_DAY != 0) /* leap seconds end a UTC day */
        return false;
    int64_t us = seconds * us_per_second + fraction;
    if (us < us_first || us > us_last)
        return false;
    *ret_us = us;
    return true;
}
