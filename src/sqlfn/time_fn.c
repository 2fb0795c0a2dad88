/*
 * time_fn.c: the clock, cron expressions, windows and jitter as SQL functions.
 */
#include "floe.h"

#include "base/cron.h"
#include "guc.h"
#include "sqlfn/report.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "pgtime.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(floe_sql_api_version);
PG_FUNCTION_INFO_V1(floe_sql_clock);
PG_FUNCTION_INFO_V1(floe_sql_cron_next);
PG_FUNCTION_INFO_V1(floe_sql_window_next);
PG_FUNCTION_INFO_V1(floe_sql_jitter);

Datum
floe_sql_api_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(FLOE_API_VERSION);
}

Datum
floe_sql_clock(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(floe_now());
}

/* PostgreSQL's time zones behind the callback of cron.h. */
static bool
zone_change(void *arg, int64_t utc_s, int32_t *offset_s, int64_t *change_s, int32_t *new_offset_s)
{
	pg_time_t at = (pg_time_t) utc_s;
	pg_time_t boundary;
	long int before_offset;
	long int after_offset;
	int before_dst;
	int after_dst;
	int result = pg_next_dst_boundary(&at, &before_offset, &before_dst, &boundary, &after_offset, &after_dst, arg);

	*offset_s = (int32_t) before_offset;
	if (result <= 0)
		return false;
	*change_s = boundary;
	*new_offset_s = (int32_t) after_offset;
	return true;
}

static FloeZone
lookup_zone(const char *name)
{
	pg_tz *tz = pg_tzset(name);
	FloeZone zone = {zone_change, tz};

	if (tz == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"%s\" is not a time zone", name),
						errhint("Use a name of pg_timezone_names, such as \"Europe/Amsterdam\".")));
	return zone;
}

Datum
floe_sql_cron_next(PG_FUNCTION_ARGS)
{
	char *expression = text_to_cstring(PG_GETARG_TEXT_PP(0));
	FloeZone zone = lookup_zone(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	TimestampTz after = PG_GETARG_TIMESTAMPTZ(2);
	FloeCron cron;
	FloeStatus st;
	int64_t next;

	if (!floe_cron_parse(expression, &cron, &st))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", st.message),
				 errhint("The fields are minute, hour, day of month, month and day of week, as in \"0 2 * * *\".")));
	if (TIMESTAMP_NOT_FINITE(after) || !floe_cron_next(&cron, &zone, (int64_t) timestamptz_to_time_t(after), &next))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(time_t_to_timestamptz((pg_time_t) next));
}

static void
add_all(ArrayType *array, bool (*add)(FloeWindows *, const char *, FloeStatus *), FloeWindows *windows)
{
	Datum *elements;
	bool *nulls;
	int n;
	FloeStatus st;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the list holds a null")));
		if (!add(windows, TextDatumGetCString(elements[i]), &st))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", st.message)));
	}
}

Datum
floe_sql_window_next(PG_FUNCTION_ARGS)
{
	FloeWindows windows = {0};
	FloeZone zone;
	TimestampTz at;
	int64_t at_s;
	int64_t next;

	if (PG_ARGISNULL(3))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(0))
		add_all(PG_GETARG_ARRAYTYPE_P(0), floe_window_add, &windows);
	if (!PG_ARGISNULL(1))
		add_all(PG_GETARG_ARRAYTYPE_P(1), floe_window_add_day, &windows);
	at = PG_GETARG_TIMESTAMPTZ(3);
	if (windows.n == 0 && windows.weekdays == 0)
		PG_RETURN_TIMESTAMPTZ(at);
	zone = lookup_zone(PG_ARGISNULL(2) ? "UTC" : text_to_cstring(PG_GETARG_TEXT_PP(2)));
	at_s = (int64_t) timestamptz_to_time_t(at);
	if (!floe_window_next(&windows, &zone, at_s, &next))
		PG_RETURN_NULL();
	/* inside a window: the very moment, with its fraction of a second */
	PG_RETURN_TIMESTAMPTZ(next == at_s ? at : time_t_to_timestamptz((pg_time_t) next));
}

Datum
floe_sql_jitter(PG_FUNCTION_ARGS)
{
	text *seed = PG_GETARG_TEXT_PP(0);
	Interval *width = PG_GETARG_INTERVAL_P(1);
	Interval *result = palloc0(sizeof(Interval));
	double usecs = width->time + ((double) width->day + 30.0 * width->month) * USECS_PER_DAY;
	uint64 hash = hash_bytes_extended((unsigned char *) VARDATA_ANY(seed), (int) VARSIZE_ANY_EXHDR(seed), 0);

	if (usecs > 0)
		result->time = (TimeOffset) (usecs * ((double) (hash >> 11) / (double) (UINT64CONST(1) << 53)));
	PG_RETURN_INTERVAL_P(result);
}
