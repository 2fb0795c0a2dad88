/*
 * http_policy.c: retry, Retry-After, redirect and status rules.
 *
 * Separate from the code that sends and sleeps: no libcurl, no server, no clock.
 */
#include "floe.h"

#include "base/backoff.h"
#include "net/http_policy.h"

#include <stdio.h>
#include <string.h>

typedef enum Repeatable
{
	NEVER,
	IF_IDEMPOTENT,   /* the server may have acted on it */
	NOTHING_WAS_SENT /* any method */
} Repeatable;

/* What the outcome of an attempt says about sending the same request again. */
static Repeatable
repeatable(const FloeHttpAttempt *attempt)
{
	switch (attempt->code)
	{
		case FLOE_ERR_DNS:
		case FLOE_ERR_CONNECT:
		case FLOE_ERR_TLS:
			return NOTHING_WAS_SENT;
		case FLOE_ERR_TIMEOUT:
		case FLOE_ERR_NETWORK:
			return IF_IDEMPOTENT;
		case FLOE_OK:
			switch (attempt->http_status)
			{
				case 429:
				case 500:
				case 502:
				case 503:
				case 504:
					return IF_IDEMPOTENT;
				default:
					return NEVER;
			}
		default:
			return NEVER;
	}
}

int64_t
floe_http_retry_ms(const FloeHttpAttempt *attempt)
{
	bool idempotent = strcmp(attempt->method, "POST") != 0 || attempt->post_is_repeatable;

	if (attempt->number >= attempt->max || attempt->hopeless)
		return -1;
	switch (repeatable(attempt))
	{
		case NEVER:
			return -1;
		case IF_IDEMPOTENT:
			if (!idempotent)
				return -1;
			break;
		case NOTHING_WAS_SENT:
			break;
	}
	if (attempt->retry_after_ms >= 0)
		return attempt->retry_after_ms <= FLOE_RETRY_AFTER_WAIT_MS ? attempt->retry_after_ms : -1;
	return floe_backoff_ms(attempt->number, FLOE_RETRY_BASE_MS, FLOE_RETRY_CAP_MS, attempt->jitter_seed);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar (years count from March). */
static int64_t
days_from_civil(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = month <= 2 ? month + 9 : month - 3;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

int64_t
floe_http_date_ms(const char *value)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char name[4] = "";
	const char *found;
	int day, year, hour, minute, second;
	int end = 0;
	int month;

	/* IMF-fixdate, then the two that recipients must still accept: RFC 850 and asctime() */
	if (sscanf(value, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &day, name, &year, &hour, &minute, &second,
			   &end) == 6 &&
		end > 0)
		;
	else if (sscanf(value, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &day, name, &year, &hour, &minute,
					&second, &end) == 6 &&
			 end > 0)
		year += year < 70 ? 2000 : 1900;
	else if (sscanf(value, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", name, &day, &hour, &minute, &second, &year,
					&end) == 6 &&
			 end > 0)
		;
	else
		return -1;

	found = strlen(name) == 3 ? strstr(months, name) : NULL;
	if (found == NULL || (found - months) % 3 != 0)
		return -1;
	month = (int) (found - months) / 3 + 1;
	if (year < 1970 || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
		second > 60)
		return -1;
	return ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60000 + second * 1000;
}

int64_t
floe_http_retry_after_ms(const char *value, int64_t now_ms)
{
	int64_t delay = 0;
	const char *pos;

	if (value == NULL || *value == '\0')
		return -1;
	for (pos = value; *pos >= '0' && *pos <= '9'; pos++)
	{
		if (delay <= FLOE_RETRY_AFTER_MAX_MS)
			delay = delay * 10 + (*pos - '0') * 1000;
	}
	if (*pos != '\0')
	{
		int64_t date = floe_http_date_ms(value);

		if (date < 0)
			return -1;
		delay = date - now_ms;
	}
	return Max(0, Min(delay, FLOE_RETRY_AFTER_MAX_MS));
}

bool
floe_http_is_redirect(int http_status)
{
	return (http_status >= 301 && http_status <= 303) || http_status == 307 || http_status == 308;
}

bool
floe_http_check_redirect(const char *method, const FloeUrl *from, const FloeUrl *to, int followed, int max_redirects,
						 FloeStatus *st)
{
	char here[FLOE_ORIGIN_SIZE];
	char there[FLOE_ORIGIN_SIZE];

	floe_url_origin(from, here, sizeof(here));
	floe_url_origin(to, there, sizeof(there));
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return floe_fail(st, FLOE_ERR_DENIED, "%s redirects a %s to %s, and only GET and HEAD may be redirected", here,
						 method, there);
	if (!floe_url_same_origin(from, to))
		return floe_fail(st, FLOE_ERR_DENIED, "%s redirects to another origin, %s", here, there);
	if (followed >= max_redirects)
		return floe_fail(st, FLOE_ERR_DENIED, "%s redirects again to %s, after %d redirects", here, there, followed);
	return true;
}

FloeCode
floe_http_code(int http_status, int64_t retry_after_ms)
{
	if ((http_status >= 200 && http_status <= 299) || http_status == 304)
		return FLOE_OK;
	switch (http_status)
	{
		case 401:
		case 419:
			return FLOE_ERR_AUTH;
		case 403:
			return FLOE_ERR_FORBIDDEN;
		case 404:
			return FLOE_ERR_NOT_FOUND;
		case 409:
			return FLOE_ERR_CONFLICT;
		case 429:
			return FLOE_ERR_THROTTLED;
		case 503:
			return retry_after_ms >= 0 ? FLOE_ERR_THROTTLED : FLOE_ERR_SERVER;
		default:
			return http_status >= 500 && http_status <= 599 ? FLOE_ERR_SERVER : FLOE_ERR_HTTP;
	}
}
