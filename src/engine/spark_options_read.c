/*
 * spark_options_read.c: checking options against the table, and their canonical form.
 *
 * Separate from the table because here is what each type means.  Everything
 * that could only fail in the engine, an hour later, should fail here: wrong
 * types, bounds, contradictions, and texts that no Spark reads as they are.
 */
#include "floe.h"

#include "engine/spark_options.h"

#include "engine/predicate.h"
#include "engine/sort_order.h"
#include "engine/spark_literal.h"
#include "engine/spark_values.h"

#include "common/shortest_dec.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_TEXT 1024
#define MAX_IDS 10000
#define MAX_COLUMNS 1000
#define MAX_PAIRS 100

/* -------------------------------------------------------------------------
 * Failures
 * ------------------------------------------------------------------------- */

/* What a value of the option may be, for people. */
static void
describe(const FloeSparkOption *o, FloeBuf *buf)
{
	switch (o->type)
	{
		case FLOE_OPTION_BYTES:
			floe_buf_text(buf, "a size such as \"128MB\" or a number of bytes");
			break;
		case FLOE_OPTION_COUNT:
			floe_buf_text(buf, "a whole number");
			break;
		case FLOE_OPTION_RATIO:
			floe_buf_printf(buf, "a number above %lld", (long long) o->min);
			break;
		case FLOE_OPTION_BOOLEAN:
			floe_buf_text(buf, "true or false");
			break;
		case FLOE_OPTION_ENUM:
			floe_buf_text(buf, "one of");
			for (int i = 0; o->values[i] != NULL; i++)
				floe_buf_printf(buf, "%s %s", i > 0 ? "," : "", o->values[i]);
			break;
		case FLOE_OPTION_AGE:
			floe_buf_text(buf, "a duration such as \"3 days\", \"72h\" or \"P3D\"");
			break;
		case FLOE_OPTION_IDS:
			floe_buf_printf(buf, "an array of 1 to %d snapshot ids", MAX_IDS);
			break;
		case FLOE_OPTION_COLUMNS:
			floe_buf_printf(buf, "an array of 1 to %d names of columns, each once", MAX_COLUMNS);
			break;
		case FLOE_OPTION_TEXT_MAP:
			floe_buf_printf(buf, "an object of 1 to %d texts", MAX_PAIRS);
			break;
		case FLOE_OPTION_SORT:
			floe_buf_text(buf, "columns such as \"id DESC NULLS LAST, bucket(16, name)\", or zorder(a, b) alone");
			break;
		case FLOE_OPTION_WHERE:
			floe_buf_text(buf, "a predicate on columns, such as day >= DATE '2026-01-31' AND region IN ('eu', 'us'); "
							   "docs/predicates.md has what is understood");
			break;
		case FLOE_OPTION_TEXT:
			floe_buf_printf(buf, "a text of 1 to %d bytes", MAX_TEXT);
			break;
	}
	if (o->type == FLOE_OPTION_AGE && o->min > 0)
	{
		floe_buf_text(buf, ", at least ");
		floe_spark_append_duration(buf, o->min);
	}
	else if (o->type == FLOE_OPTION_BYTES || o->type == FLOE_OPTION_COUNT)
		floe_buf_printf(buf, ", at least %lld", (long long) o->min);
	if (o->max > 0)
		floe_buf_printf(buf, ", at most %lld", (long long) o->max);
}

static bool
fail_value(const FloeSparkOption *o, FloeStatus *st)
{
	FloeBuf buf;

	floe_buf_init(&buf, FLOE_STATUS_DETAIL_SIZE);
	floe_buf_text(&buf, "It takes ");
	describe(o, &buf);
	floe_buf_text(&buf, ".");
	floe_fail_detail(st, FLOE_ERR_CONFIG, buf.data, "invalid value for option \"%s\" of %s", o->name, o->operation);
	floe_buf_free(&buf);
	return false;
}

static bool
fail_unknown(const char *operation, const char *name, FloeStatus *st)
{
	FloeBuf buf;
	const FloeSparkOption *o;

	floe_buf_init(&buf, FLOE_STATUS_DETAIL_SIZE * 4);
	floe_buf_text(&buf, "Valid options: ");
	for (size_t i = 0, n = 0; (o = floe_spark_option_at(i)) != NULL; i++)
	{
		if (strcmp(o->operation, operation) == 0 && o->refusal == NULL)
			floe_buf_printf(&buf, "%s%s", n++ > 0 ? ", " : "", o->name);
	}
	floe_buf_text(&buf, ".");
	floe_fail_detail(st, FLOE_ERR_CONFIG, buf.data, "%s has no option \"%s\"", operation, name);
	floe_buf_free(&buf);
	return false;
}

/* -------------------------------------------------------------------------
 * Types
 * ------------------------------------------------------------------------- */

static bool
read_number(FloeOptionValue *v, FloeStatus *st)
{
	const FloeSparkOption *o = v->option;
	const char *text = floe_json_string(v->json);
	bool is_size = o->type == FLOE_OPTION_BYTES;

	/* digits in a text are a number of bytes, too; a count has no unit */
	if (text != NULL && !is_size && strspn(text, "0123456789") != strlen(text))
		return fail_value(o, st);
	if (text != NULL ? !floe_spark_parse_bytes(text, &v->number) : !floe_json_int(v->json, &v->number))
		return fail_value(o, st);
	if (v->number < o->min || (o->max > 0 && v->number > o->max))
		return fail_value(o, st);
	return true;
}

static bool
read_ratio(FloeOptionValue *v, FloeStatus *st)
{
	const FloeSparkOption *o = v->option;
	const char *text = floe_json_string(v->json);
	char *end;

	if (text != NULL)
	{
		/* not what strtod() also reads: blanks, hexadecimal, nan */
		if (text[0] == '\0' || strspn(text, "0123456789.eE+-") != strlen(text))
			return fail_value(o, st);
		errno = 0;
		v->ratio = strtod(text, &end);
		if (errno != 0 || *end != '\0')
			return fail_value(o, st);
	}
	else if (!floe_json_number(v->json, &v->ratio))
		return fail_value(o, st);
	if (!isfinite(v->ratio) || v->ratio <= (double) o->min || (o->max > 0 && v->ratio > (double) o->max))
		return fail_value(o, st);
	return true;
}

static bool
read_boolean(FloeOptionValue *v, FloeStatus *st)
{
	const char *text = floe_json_string(v->json);

	if (floe_json_kind(v->json) == FLOE_JSON_BOOL)
		v->number = floe_json_is_true(v->json) ? 1 : 0;
	else if (text != NULL && (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0))
		v->number = strcasecmp(text, "true") == 0 ? 1 : 0;
	else
		return fail_value(v->option, st);
	return true;
}

static bool
same_choice(const char *value, const char *given)
{
	for (; *value != '\0' && *given != '\0'; value++, given++)
	{
		char c = *given == '_' ? '-' : (char) tolower((unsigned char) *given);

		if (c != *value)
			return false;
	}
	return *value == *given;
}

static bool
read_choice(FloeOptionValue *v, FloeStatus *st)
{
	const FloeSparkOption *o = v->option;
	const char *text = floe_json_string(v->json);

	for (int i = 0; text != NULL && o->values[i] != NULL; i++)
	{
		if (same_choice(o->values[i], text))
		{
			v->text = o->values[i];
			return true;
		}
	}
	return fail_value(o, st);
}

static bool
read_age(FloeOptionValue *v, FloeStatus *st)
{
	const char *text = floe_json_string(v->json);

	if (text == NULL || !floe_spark_parse_duration(text, &v->number) || v->number < v->option->min)
		return fail_value(v->option, st);
	return true;
}

bool
floe_spark_option_id(FloeJson json, int64_t *id)
{
	const char *text = floe_json_string(json);

	/* as text, too: 64 bits are more than many JSON tools keep */
	if (text != NULL)
		return strspn(text, "0123456789") == strlen(text) && floe_spark_parse_bytes(text, id);
	return floe_json_int(json, id) && *id >= 0;
}

static bool
read_ids(FloeOptionValue *v, FloeStatus *st)
{
	size_t n = floe_json_length(v->json);
	int64_t id;

	if (n == 0 || n > MAX_IDS)
		return fail_value(v->option, st);
	for (size_t i = 0; i < n; i++)
	{
		if (!floe_spark_option_id(floe_json_at(v->json, i), &id))
			return fail_value(v->option, st);
	}
	return true;
}

static bool
read_columns(FloeOptionValue *v, FloeStatus *st)
{
	size_t n = floe_json_length(v->json);

	if (floe_json_kind(v->json) != FLOE_JSON_ARRAY || n == 0 || n > MAX_COLUMNS)
		return fail_value(v->option, st);
	for (size_t i = 0; i < n; i++)
	{
		const char *name = floe_json_string(floe_json_at(v->json, i));

		if (name == NULL || name[0] == '\0' || strlen(name) > MAX_TEXT)
			return fail_value(v->option, st);
		for (size_t j = 0; j < i; j++)
		{
			if (strcmp(floe_json_string(floe_json_at(v->json, j)), name) == 0)
				return fail_value(v->option, st);
		}
		if (!floe_spark_text_check(name, v->option->name, st))
			return false;
	}
	return true;
}

static bool
read_map(FloeOptionValue *v, FloeStatus *st)
{
	int pairs = 0;

	if (floe_json_kind(v->json) != FLOE_JSON_OBJECT)
		return fail_value(v->option, st);
	for (FloeJsonIter it = floe_json_iter(v->json); floe_json_next(&it);)
	{
		const char *text = floe_json_string(it.value);

		if (text == NULL || text[0] == '\0' || it.key[0] == '\0' || ++pairs > MAX_PAIRS)
			return fail_value(v->option, st);
		if (!floe_spark_text_check(it.key, v->option->name, st) || !floe_spark_text_check(text, v->option->name, st))
			return false;
	}
	return pairs > 0 || fail_value(v->option, st);
}

static bool
is_zorder(const char *text)
{
	while (isspace((unsigned char) *text))
		text++;
	if (strncasecmp(text, "zorder", strlen("zorder")) != 0)
		return false;
	text += strlen("zorder");
	while (isspace((unsigned char) *text))
		text++;
	return *text == '(';
}

/* What is read with a grammar of its own; how it failed goes into the message. */
static bool
read_parsed(FloeOptionValue *v, FloeStatus *st)
{
	const FloeSparkOption *o = v->option;
	FloeArena *arena = floe_arena_new(FLOE_PREDICATE_ARENA);
	char why[FLOE_STATUS_MESSAGE_SIZE];
	bool done;

	if (arena == NULL)
		return floe_fail(st, FLOE_ERR_NOMEM, "no memory for option \"%s\"", o->name);
	done = o->type == FLOE_OPTION_WHERE ? floe_predicate_parse(v->text, arena, st) != NULL
										: floe_sort_order_parse(v->text, arena, st) != NULL;
	floe_arena_free(arena);
	if (done)
		return true;
	floe_copy_text(why, sizeof(why), st->message, strlen(st->message));
	fail_value(o, st);
	snprintf(st->message + strlen(st->message), sizeof(st->message) - strlen(st->message), ": %s", why);
	return false;
}

static bool
read_text(FloeOptionValue *v, FloeStatus *st)
{
	const FloeSparkOption *o = v->option;
	size_t max = o->type == FLOE_OPTION_WHERE ? FLOE_PREDICATE_MAX_BYTES : MAX_TEXT;

	v->text = floe_json_string(v->json);
	if (v->text == NULL || strspn(v->text, " \t\r\n") == strlen(v->text) || strlen(v->text) > max)
		return fail_value(o, st);
	if (!floe_spark_text_check(v->text, o->name, st))
		return false;
	return (o->type != FLOE_OPTION_WHERE && o->type != FLOE_OPTION_SORT) || read_parsed(v, st);
}

static bool
read_value(FloeOptionValue *v, FloeStatus *st)
{
	switch (v->option->type)
	{
		case FLOE_OPTION_BYTES:
		case FLOE_OPTION_COUNT:
			return read_number(v, st);
		case FLOE_OPTION_RATIO:
			return read_ratio(v, st);
		case FLOE_OPTION_BOOLEAN:
			return read_boolean(v, st);
		case FLOE_OPTION_ENUM:
			return read_choice(v, st);
		case FLOE_OPTION_AGE:
			return read_age(v, st);
		case FLOE_OPTION_IDS:
			return read_ids(v, st);
		case FLOE_OPTION_COLUMNS:
			return read_columns(v, st);
		case FLOE_OPTION_TEXT_MAP:
			return read_map(v, st);
		default:
			return read_text(v, st);
	}
}

/* -------------------------------------------------------------------------
 * Options of one operation
 * ------------------------------------------------------------------------- */

const FloeOptionValue *
floe_spark_options_get(const FloeSparkOptions *options, const char *name)
{
	for (int i = 0; i < options->count; i++)
	{
		if (strcmp(options->items[i].option->name, name) == 0)
			return &options->items[i];
	}
	return NULL;
}

/* What is only wrong together with something else. */
static bool
check_contradictions(const char *operation, const FloeSparkOptions *options, bool is_complete, FloeStatus *st)
{
	const FloeOptionValue *target = floe_spark_options_get(options, "target_file_size");
	const FloeOptionValue *least = floe_spark_options_get(options, "min_file_size");
	const FloeOptionValue *most = floe_spark_options_get(options, "max_file_size");
	const FloeOptionValue *strategy = floe_spark_options_get(options, "strategy");
	const FloeOptionValue *order = floe_spark_options_get(options, "sort_order");
	bool binpacks = strategy != NULL && strcmp(strategy->text, "binpack") == 0;
	bool sorts = order != NULL || (strategy != NULL && !binpacks);
	bool zorders = order != NULL && is_zorder(order->text);

	if (least != NULL && target != NULL && least->number >= target->number)
		return floe_fail(st, FLOE_ERR_CONFIG, "min_file_size of %s is not below target_file_size", operation);
	if (most != NULL && target != NULL && most->number <= target->number)
		return floe_fail(st, FLOE_ERR_CONFIG, "max_file_size of %s is not above target_file_size", operation);
	if (least != NULL && most != NULL && least->number >= most->number)
		return floe_fail(st, FLOE_ERR_CONFIG, "min_file_size of %s is not below max_file_size", operation);
	if (order != NULL && binpacks)
		return floe_fail(st, FLOE_ERR_CONFIG, "sort_order of %s needs strategy sort", operation);
	for (int i = 0; i < options->count; i++)
	{
		const FloeSparkOption *o = options->items[i].option;
		bool lacks_sort = binpacks || (is_complete && !sorts);
		bool lacks_zorder = lacks_sort || (order != NULL && !zorders) || (is_complete && !zorders);

		if (o->need == FLOE_OPTION_NEEDS_SORT && lacks_sort)
			return floe_fail(st, FLOE_ERR_CONFIG, "%s of %s needs strategy sort", o->name, operation);
		if (o->need == FLOE_OPTION_NEEDS_ZORDER && lacks_zorder)
			return floe_fail(st, FLOE_ERR_CONFIG, "%s of %s needs a sort_order of zorder(…)", o->name, operation);
	}
	return true;
}

/* Finds the option of each given name; refuses what is unknown, never sent, or given twice. */
static bool
match_names(const char *operation, FloeJson json, FloeJson *given, FloeStatus *st)
{
	for (FloeJsonIter it = floe_json_iter(json); floe_json_next(&it);)
	{
		const FloeSparkOption *o = floe_spark_option_find(operation, it.key);
		size_t index;

		if (o == NULL)
			return fail_unknown(operation, it.key, st);
		if (floe_json_kind(it.value) == FLOE_JSON_NULL)
			continue;
		if (o->refusal != NULL)
			return floe_fail_detail(st, FLOE_ERR_CONFIG, o->refusal, "option \"%s\" of %s cannot be set", o->name,
									operation);
		for (index = 0; floe_spark_option_at(index) != o;)
			index++;
		if (given[index].node != NULL)
			return floe_fail(st, FLOE_ERR_CONFIG, "option \"%s\" of %s is given twice", o->name, operation);
		given[index] = it.value;
	}
	return true;
}

bool
floe_spark_options_read(const char *operation, FloeJson json, bool is_complete, FloeSparkOptions *out, FloeStatus *st)
{
	FloeJson given[FLOE_SPARK_MAX_OPTIONS];
	FloeJsonKind kind = floe_json_kind(json);
	const FloeSparkOption *o;

	out->count = 0;
	memset(given, 0, sizeof(given));
	if (!floe_spark_operation_known(operation))
		return floe_fail(st, FLOE_ERR_CONFIG, "Spark has no operation \"%s\"", operation);
	if (kind != FLOE_JSON_OBJECT && kind != FLOE_JSON_NONE && kind != FLOE_JSON_NULL)
		return floe_fail(st, FLOE_ERR_CONFIG, "options of %s are not a JSON object", operation);
	if (!match_names(operation, json, given, st))
		return false;
	for (size_t i = 0; (o = floe_spark_option_at(i)) != NULL; i++)
	{
		FloeOptionValue *v = &out->items[out->count];

		if (given[i].node == NULL)
			continue;
		memset(v, 0, sizeof(*v));
		v->option = o;
		v->json = given[i];
		if (!read_value(v, st))
			return false;
		out->count++;
	}
	return check_contradictions(operation, out, is_complete, st);
}

/* -------------------------------------------------------------------------
 * Canonical form
 * ------------------------------------------------------------------------- */

static void
append_ids(FloeBuf *buf, FloeJson ids)
{
	int64_t id = 0;

	for (size_t i = 0; i < floe_json_length(ids); i++)
	{
		(void) floe_spark_option_id(floe_json_at(ids, i), &id);
		floe_buf_printf(buf, "%s%lld", i > 0 ? "," : "[", (long long) id);
	}
	floe_buf_char(buf, ']');
}

static void
append_canonical(FloeBuf *buf, const FloeOptionValue *v)
{
	char ratio[DOUBLE_SHORTEST_DECIMAL_LEN];

	switch (v->option->type)
	{
		case FLOE_OPTION_BYTES:
		case FLOE_OPTION_COUNT:
			floe_buf_printf(buf, "%lld", (long long) v->number);
			break;
		case FLOE_OPTION_RATIO:
			double_to_shortest_decimal_buf(v->ratio, ratio);
			floe_buf_text(buf, ratio);
			break;
		case FLOE_OPTION_BOOLEAN:
			floe_buf_text(buf, v->number != 0 ? "true" : "false");
			break;
		case FLOE_OPTION_AGE:
			floe_buf_char(buf, '"');
			floe_spark_append_duration(buf, v->number);
			floe_buf_char(buf, '"');
			break;
		case FLOE_OPTION_IDS:
			append_ids(buf, v->json);
			break;
		case FLOE_OPTION_COLUMNS:
		case FLOE_OPTION_TEXT_MAP:
			floe_json_render(v->json, buf);
			break;
		default:
			floe_json_quote(buf, v->text, strlen(v->text));
			break;
	}
}

bool
floe_spark_options_check(const char *operation, FloeJson options, bool is_complete, FloeBuf *canonical, FloeStatus *st)
{
	FloeSparkOptions read;

	if (!floe_spark_options_read(operation, options, is_complete, &read, st))
		return false;
	floe_buf_char(canonical, '{');
	for (int i = 0; i < read.count; i++)
	{
		floe_buf_printf(canonical, "%s\"%s\":", i > 0 ? "," : "", read.items[i].option->name);
		append_canonical(canonical, &read.items[i]);
	}
	floe_buf_char(canonical, '}');
	if (canonical->failed)
		return floe_fail(st, canonical->over_cap ? FLOE_ERR_TOO_LARGE : FLOE_ERR_NOMEM,
						 "the options of %s are longer than %zu bytes", operation, canonical->cap);
	return true;
}
