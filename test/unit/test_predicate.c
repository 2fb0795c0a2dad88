/*
 * test_predicate.c: predicates and sort orders: what is read, refused, bound to columns, and written for each dialect.
 */
#include "floe.h"

#include "engine/predicate.h"
#include "engine/sort_order.h"

#include "tap.h"

#define NOW INT64CONST(1767323096789) /* 2026-01-02 03:04:56.789 UTC */

static const FloeSchemaColumn columns[] = {
	{"id", "long", 1},
	{"n", "int", 2},
	{"x", "double", 3},
	{"f", "float", 4},
	{"price", "decimal(9, 2)", 5},
	{"ok", "boolean", 6},
	{"day", "date", 7},
	{"at", "timestamp", 8},
	{"tz", "timestamptz", 9},
	{"name", "string", 10},
	{"key", "uuid", 11},
	{"s", "struct", 12},
	{"s.a", "int", 13},
	{"s.b", "string", 14},
	{"tags", "list", 15},
	{"tags.element", "string", 16},
	{"bin", "binary", 17},
	{"Case", "int", 18},
	{"say \"it's\" `now`", "string", 19},
	{"Two", "int", 20},
	{"two", "int", 21},
	{"a.b", "int", 22},
	{"region", "string", 23},
	{"tm", "time", 24},
};

static const int64_t spec_ids[] = {0};
static const FloePartitionField fields[] = {
	{0, 8, "day"},          {0, 9, "hour"},     {0, 7, "month"},        {0, 23, "identity"},
	{0, 1, "truncate[10]"}, {0, 2, "identity"}, {0, 10, "truncate[3]"}, {0, 11, "bucket[16]"},
	{0, 3, "identity"},     {0, 5, "identity"}, {0, 6, "identity"},     {0, 4, "identity"},
};

static const FloeTableSchema schema = {columns, lengthof(columns), true, fields, lengthof(fields), spec_ids, 1};

typedef struct Case
{
	const char *text;
	const char *spark; /* bound; NULL: refused, and trino is a part of the message */
	const char *trino; /* NULL: Trino cannot be given it */
} Case;

static const Case cases[] = {
	/* comparisons and values of each type */
	{"id = 5", "`id` = 5L", "(\"id\" >= 0 AND \"id\" < 10)"},
	{"id=-5", "`id` = -5L", "(\"id\" >= -10 AND \"id\" < 0)"},
	{"n <> +5", "`n` <> 5", "\"n\" <> 5"},
	{"n != 5", "`n` <> 5", "\"n\" <> 5"},
	{"5 < n", "`n` > 5", "\"n\" > 5"},
	{"5 >= n", "`n` <= 5", "\"n\" <= 5"},
	{"x >= 1.5e3", "`x` >= CAST('1.5e3' AS DOUBLE)", "\"x\" >= DOUBLE '1.5e3'"},
	{"f < 1.5", "`f` < CAST('1.5' AS FLOAT)", "\"f\" < REAL '1.5'"},
	{"price = 12.50", "`price` = CAST('12.50' AS DECIMAL(9, 2))", "\"price\" = DECIMAL '12.50'"},
	{"ok", "`ok` = true", "\"ok\" = true"},
	{"NOT ok", "`ok` <> true", "\"ok\" <> true"},
	{"ok = FALSE", "`ok` = false", "\"ok\" = false"},
	{"region = 'it''s'", "`region` = \"it's\"", "\"region\" = 'it''s'"},
	{"region = ''", "`region` = ''", "\"region\" = ''"},
	{"key = 'f79c3e09-677c-4bbd-a479-3f349cb785e7'", "`key` = 'f79c3e09-677c-4bbd-a479-3f349cb785e7'", NULL},
	/* names */
	{"\"say \"\"it's\"\" `now`\" = 'a'", "`say \"it's\" ``now``` = 'a'", NULL},
	{"`say \"it's\" ``now``` IS NULL", "`say \"it's\" ``now``` IS NULL", NULL},
	{"s.a = 1", "`s`.`a` = 1", NULL},
	{"\"a.b\" = 1", "`a.b` = 1", NULL},
	{"CASE = 1", "`CASE` = 1", NULL},
	{"day = DATE '2026-01-31' and \"at\" < '2026-01-31'",
	 "`day` = DATE '2026-01-31' AND `at` < TIMESTAMP_NTZ '2026-01-31 00:00:00.000000'",
	 "((\"day\" >= DATE '2026-01-01' AND \"day\" < DATE '2026-02-01') AND \"at\" < TIMESTAMP '2026-01-31 "
	 "00:00:00.000000')"},
	/* times: bounds move outwards to the edges of partitions */
	{"tz >= TIMESTAMP '2026-01-02 03:04:05.5+01:00'", "`tz` >= TIMESTAMP '2026-01-02 02:04:05.500000Z'",
	 "\"tz\" >= TIMESTAMP '2026-01-02 02:00:00.000000 UTC'"},
	{"tz < TIMESTAMP '2026-01-02T02:00Z'", "`tz` < TIMESTAMP '2026-01-02 02:00:00.000000Z'",
	 "\"tz\" < TIMESTAMP '2026-01-02 02:00:00.000000 UTC'"},
	{"tz < TIMESTAMP '2026-01-02 02:00:00.000001'", "`tz` < TIMESTAMP '2026-01-02 02:00:00.000001Z'",
	 "\"tz\" < TIMESTAMP '2026-01-02 03:00:00.000000 UTC'"},
	{"\"at\" <= DATE '2025-12-31'", "`at` <= TIMESTAMP_NTZ '2025-12-31 00:00:00.000000'",
	 "\"at\" < TIMESTAMP '2026-01-01 00:00:00.000000'"},
	{"\"at\" > DATE '1969-12-31'", "`at` > TIMESTAMP_NTZ '1969-12-31 00:00:00.000000'",
	 "\"at\" >= TIMESTAMP '1969-12-31 00:00:00.000000'"},
	{"day <= '2024-02-29'", "`day` <= DATE '2024-02-29'", "\"day\" < DATE '2024-03-01'"},
	{"day >= current_date - 3 days", "`day` >= DATE '2025-12-30'", "\"day\" >= DATE '2025-12-01'"},
	{"day >= current_date - 3", "`day` >= DATE '2025-12-30'", "\"day\" >= DATE '2025-12-01'"},
	{"day > CURRENT_DATE + INTERVAL '1 week' - interval 1 day", "`day` > DATE '2026-01-08'",
	 "\"day\" >= DATE '2026-01-01'"},
	{"tz > now() - 90 minutes", "`tz` > TIMESTAMP '2026-01-02 01:34:56.789000Z'",
	 "\"tz\" >= TIMESTAMP '2026-01-02 01:00:00.000000 UTC'"},
	{"\"at\" < current_timestamp() - interval '12' hours", "`at` < TIMESTAMP_NTZ '2026-01-01 15:04:56.789000'",
	 "\"at\" < TIMESTAMP '2026-01-02 00:00:00.000000'"},
	{"tz >= current_date", "`tz` >= TIMESTAMP '2026-01-02 00:00:00.000000Z'",
	 "\"tz\" >= TIMESTAMP '2026-01-02 00:00:00.000000 UTC'"},
	/* sets, beginnings, nulls */
	{"n in (1, -2)", "`n` IN (1, -2)", "\"n\" IN (1, -2)"},
	{"n NOT IN (1)", "`n` NOT IN (1)", "\"n\" NOT IN (1)"},
	{"id in (5, 25)", "`id` IN (5L, 25L)", "((\"id\" >= 0 AND \"id\" < 10) OR (\"id\" >= 20 AND \"id\" < 30))"},
	{"n BETWEEN 1 AND 3 AND ok", "`n` >= 1 AND `n` <= 3 AND `ok` = true",
	 "((\"n\" >= 1 AND \"n\" <= 3) AND \"ok\" = true)"},
	{"n NOT BETWEEN 1 AND 3", "`n` < 1 OR `n` > 3", "(\"n\" < 1 OR \"n\" > 3)"},
	{"region LIKE 'e%'", "startswith(`region`, 'e')", "(\"region\" >= 'e' AND \"region\" < 'f')"},
	{"region NOT LIKE 'eu%'", "NOT startswith(`region`, 'eu')", "(\"region\" < 'eu' OR \"region\" >= 'ev')"},
	{"region LIKE 'eu'", "`region` = 'eu'", "\"region\" = 'eu'"},
	{"name IS NULL", "`name` IS NULL", NULL},
	{"s IS NOT NULL", "`s` IS NOT NULL", NULL},
	{"tz IS NULL", "`tz` IS NULL", "\"tz\" IS NULL"},
	/* logic; NOT goes into the comparisons */
	{"true", "true", "true"},
	{"NOT true", "false", "false"},
	{"n = 1 OR n = 2 AND n = 3", "`n` = 1 OR (`n` = 2 AND `n` = 3)", "(\"n\" = 1 OR (\"n\" = 2 AND \"n\" = 3))"},
	{"(n = 1 OR n = 2) AND n = 3", "(`n` = 1 OR `n` = 2) AND `n` = 3", "((\"n\" = 1 OR \"n\" = 2) AND \"n\" = 3)"},
	{"NOT (n = 1 OR NOT (n < 2 AND region LIKE 'a%'))", "`n` <> 1 AND (`n` < 2 AND startswith(`region`, 'a'))",
	 "(\"n\" <> 1 AND (\"n\" < 2 AND (\"region\" >= 'a' AND \"region\" < 'b')))"},
	{"NOT NOT n IN (1) AND NOT (n IS NULL)", "`n` IN (1) AND `n` IS NOT NULL", "(\"n\" IN (1) AND \"n\" IS NOT NULL)"},
	{"NOT (n BETWEEN 1 AND 2)", "`n` < 1 OR `n` > 2", "(\"n\" < 1 OR \"n\" > 2)"},
	/* what leaves no partition out is left out */
	{"n = 1 AND id <> 5", "`n` = 1 AND `id` <> 5L", "(\"n\" = 1)"},
	{"id NOT IN (5) AND n = 1", "`id` NOT IN (5L) AND `n` = 1", "(\"n\" = 1)"},
	{"id <> 5", "`id` <> 5L", NULL},
	{"n = 1 OR id <> 5", "`n` = 1 OR `id` <> 5L", NULL},
	{"key IS NULL", "`key` IS NULL", NULL},

	/* refused while it is read */
	{"", NULL, "a column is missing at character 1"},
	{"n", NULL, "column \"n\" of the predicate is compared with what is not a number"},
	{"n =", NULL, "a value is missing: columns are compared with values only at character 4"},
	{"n = id", NULL, "a value is missing"},
	{"1 = 1", NULL, "a column is missing at character 5"},
	{"n = 1 n = 2", NULL, "nothing may stand here any more at character 7"},
	{"n = 1;", NULL, "this is not understood at character 6"},
	{"n = 1; DROP TABLE t", NULL, "this is not understood at character 6"},
	{"n = 1 -- x", NULL, "a comment is not understood at character 7"},
	{"n /* x */ = 1", NULL, "a comment is not understood"},
	{"name = 'x", NULL, "a quote is not closed at character 8"},
	{"\"\" = 1", NULL, "a name is empty"},
	{"(n = 1", NULL, "a parenthesis is not closed"},
	{"n = 1)", NULL, "nothing may stand here"},
	{"n = NULL", NULL, "NULL compares with nothing: write IS NULL"},
	{"n IN ()", NULL, "a value is missing"},
	{"n IN (1", NULL, "a comma or parenthesis is missing"},
	{"n NOT = 1", NULL, "IN, LIKE or BETWEEN is missing"},
	{"n IS 1", NULL, "NULL is missing"},
	{"n BETWEEN 1", NULL, "AND is missing"},
	{"name LIKE '%x'", NULL, "LIKE takes a beginning only"},
	{"name LIKE 'a_b%'", NULL, "LIKE takes a beginning only"},
	{"name LIKE '%'", NULL, "LIKE takes a beginning only"},
	{"lower(name) = 'x'", NULL, "functions are not understood: compare the column itself at character 6"},
	{"n + 1 = 2", NULL, "nothing may stand here"},
	{"n = 1.", NULL, "nothing may stand here"},
	{"n = 12abc", NULL, "a number is not one"},
	{"n <=> 1", NULL, "a value is missing"},
	{"day = DATE '2026-02-29'", NULL, "a date is written as '2026-01-31' at character 12"},
	{"day = DATE '0000-01-01'", NULL, "a date is written as"},
	{"tz = TIMESTAMP '2026-01-01 24:00'", NULL, "a time is written as"},
	{"tz = TIMESTAMP '2026-01-01 10:00 Europe/Amsterdam'", NULL, "a time is written as"},
	{"day = current_date - 3 hours", NULL, "a date moves by whole days"},
	{"tz > now() - 3", NULL, "the unit of an interval is missing"},
	{"tz > now() - 3 months", NULL, "the unit of an interval is missing"},
	{"tz > now() - interval '1.5 days'", NULL, "interval"},
	{"tz > now() - 99999999999999999 days", NULL, "an interval is a whole number"},
	{"tz > now() - interval '-1 day'", NULL, "an interval such as 3 days is missing"},

	/* refused when it is bound */
	{"nope = 1", NULL, "column \"nope\" of the predicate is not in the table"},
	{"s.c = 1", NULL, "column \"s.c\" of the predicate is not in the table"},
	{"TWO = 1", NULL, "column \"TWO\" of the predicate: the table has several that differ in case only"},
	{"tags.element = 'x'", NULL, "lies in a list or map"},
	{"s = 1", NULL, "only IS NULL is understood"},
	{"bin = 'x'", NULL, "only IS NULL is understood"},
	{"tm = '10:00'", NULL, "only IS NULL is understood"},
	{"n = 3000000000", NULL, "what is not a whole number of 32 bits"},
	{"n = 1.5", NULL, "what is not a whole number of 32 bits"},
	{"id = 9223372036854775808", NULL, "what is not a whole number of 64 bits"},
	{"price = 1.234", NULL, "a number that its type cannot hold"},
	{"price = 12345678", NULL, "a number that its type cannot hold"},
	{"n = 'x'", NULL, "what is not a number"},
	{"name = 1", NULL, "what is not a text"},
	{"ok = 1", NULL, "what is not true or false"},
	{"day = 'x'", NULL, "what is not a date, such as DATE"},
	{"day = TIMESTAMP '2026-01-01 10:00:00'", NULL, "a time of day; compare it with a date"},
	{"day = now()", NULL, "a time of day"},
	{"tz = 5", NULL, "what is not a time"},
	{"n LIKE 'a%'", NULL, "is not a text, which LIKE needs"},
};

static bool
written(const char *text, bool for_trino, FloeBuf *out, FloeStatus *st)
{
	FloeArena *arena = floe_arena_new(FLOE_PREDICATE_ARENA);
	FloePredicate *p = floe_predicate_parse(text, arena, st);
	bool done = p != NULL && floe_predicate_bind(p, &schema, arena, st) &&
				(for_trino ? floe_predicate_render_trino(p, &schema, NOW, out, st)
						   : floe_predicate_render_spark(p, NOW, out, st));

	floe_arena_free(arena);
	return done;
}

static void
test_predicates(void)
{
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		const Case *c = &cases[i];
		FloeStatus st;
		FloeBuf buf;
		bool done;

		floe_buf_init(&buf, 10000);
		done = written(c->text, false, &buf, &st);
		if (c->spark == NULL)
		{
			bool held = !done && st.code == FLOE_ERR_CONFIG && strstr(st.message, c->trino) != NULL;

			ok(held, "refused: %s", c->text);
			if (!held)
				printf("#   %s\n", done ? buf.data : st.message);
			floe_buf_free(&buf);
			continue;
		}
		is_str(done ? buf.data : st.message, c->spark, "Spark: %s", c->text);
		floe_buf_reset(&buf);
		done = written(c->text, true, &buf, &st);
		if (c->trino != NULL)
			is_str(done ? buf.data : st.message, c->trino, "Trino: %s", c->text);
		else
			ok(!done && st.code == FLOE_ERR_CONFIG && strncmp(st.message, "Trino optimizes whole partitions", 20) == 0,
			   "not for Trino: %s", c->text);
		floe_buf_free(&buf);
	}
}

/* Without a schema everything is taken as it is written; an incomplete one does not refuse what it lacks. */
static void
test_unknown_schema(void)
{
	FloeTableSchema partial = schema;
	FloeArena *arena = floe_arena_new(FLOE_PREDICATE_ARENA);
	FloePredicate *p;
	FloeStatus st;
	FloeBuf buf;

	floe_buf_init(&buf, 1000);
	p = floe_predicate_parse("nope = 1 AND t > TIMESTAMP '2026-01-01 00:00:00' AND d = DATE '2026-01-01'", arena, &st);
	ok(p != NULL && floe_predicate_render_spark(p, NOW, &buf, &st), "nothing is known");
	is_str(buf.data, "`nope` = 1 AND `t` > TIMESTAMP '2026-01-01 00:00:00.000000Z' AND `d` = DATE '2026-01-01'",
		   "so it is left to Spark");
	partial.is_complete = false;
	ok(floe_predicate_bind(p, &partial, arena, &st), "a column that is not among the known ones may be there");
	ok(!floe_predicate_render_trino(p, &partial, NOW, &buf, &st) && st.code == FLOE_ERR_CONFIG,
	   "Trino needs to know of it");
	floe_buf_free(&buf);
	floe_arena_free(arena);
}

/* An evolved table: what all of its specs have in common decides. */
static void
test_evolved_specs(void)
{
	static const int64_t two[] = {0, 1};
	static const FloePartitionField by_day_and_month[] = {{0, 9, "day"}, {1, 9, "month"}, {0, 23, "identity"}};
	FloeTableSchema evolved = {columns, lengthof(columns), true, by_day_and_month, 3, two, 2};
	static const char *const texts[] = {"tz >= TIMESTAMP '2026-01-02 00:00:00'", "region = 'eu'", "n = 1"};
	static const char *const wanted[] = {"\"tz\" >= TIMESTAMP '2026-01-01 00:00:00.000000 UTC'", NULL, NULL};

	for (size_t i = 0; i < lengthof(texts); i++)
	{
		FloeArena *arena = floe_arena_new(FLOE_PREDICATE_ARENA);
		FloeStatus st;
		FloeBuf buf;
		FloePredicate *p = floe_predicate_parse(texts[i], arena, &st);
		bool done;

		floe_buf_init(&buf, 1000);
		done = floe_predicate_bind(p, &evolved, arena, &st) && floe_predicate_render_trino(p, &evolved, NOW, &buf, &st);
		if (wanted[i] != NULL)
			is_str(done ? buf.data : st.message, wanted[i], "by day, then by month: %s", texts[i]);
		else
			ok(!done && st.code == FLOE_ERR_CONFIG, "not in all specs: %s", texts[i]);
		floe_buf_free(&buf);
		floe_arena_free(arena);
	}
}

static void
test_limits(void)
{
	static char text[FLOE_PREDICATE_MAX_BYTES + 100];
	FloeArena *arena = floe_arena_new(FLOE_PREDICATE_ARENA);
	FloeStatus st;
	size_t n = 0;

	memset(text, '(', 63);
	strcpy(text + 63, "n = 1");
	memset(text + 68, ')', 63);
	text[131] = '\0';
	ok(floe_predicate_parse(text, arena, &st) != NULL, "63 parentheses");
	memset(text, '(', 70);
	ok(floe_predicate_parse(text, arena, &st) == NULL && st.code == FLOE_ERR_TOO_LARGE, "more than 64");
	for (int i = 0; i < 1000; i++)
		n += (size_t) sprintf(text + n, "%sn = %d", i > 0 ? " OR " : "", i);
	ok(floe_predicate_parse(text, arena, &st) == NULL && st.code == FLOE_ERR_TOO_LARGE, "more than 2000 parts");
	n = (size_t) sprintf(text, "name IN ('it''s'");
	for (int i = 0; i < 1900; i++)
		n += (size_t) sprintf(text + n, ", '%010d'", i);
	strcpy(text + n, ")");
	ok(floe_predicate_parse(text, arena, &st) != NULL, "many texts");
	memset(text, ' ', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ok(floe_predicate_parse(text, arena, &st) == NULL && st.code == FLOE_ERR_TOO_LARGE, "more than 32 kB");
	floe_arena_free(arena);
	arena = floe_arena_new(2000);
	strcpy(text, "n IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20) AND n = 1 AND n = 2");
	ok(floe_predicate_parse(text, arena, &st) == NULL && st.code == FLOE_ERR_TOO_LARGE, "an arena that is full");
	floe_arena_free(arena);
}

static const Case sorts[] = {
	{"id", "`id`", NULL},
	{"id DESC NULLS LAST, name", "`id` DESC NULLS LAST, `name`", NULL},
	{"ID asc nulls first", "`ID` ASC NULLS FIRST", NULL},
	{"bucket(16, id), truncate(name, 4) desc, Days(tz), month(day)",
	 "bucket(16, `id`), truncate(4, `name`) DESC, days(`tz`), months(`day`)", NULL},
	{"identity(s.a)", "`s`.`a`", NULL},
	{"`say \"it's\" ``now```", "`say \"it's\" ``now```", NULL},
	{"\"say \"\"it's\"\" `now`\" DESC", "`say \"it's\" ``now``` DESC", NULL},
	{"zorder(id, name)", "zorder(`id`, `name`)", NULL},
	{"ZOrder ( \"a.b\" )", "zorder(`a.b`)", NULL},
	{"zorder(id, s.a)", NULL, "zorder takes no field of a struct"},
	{"", NULL, "a column is missing"},
	{"id,", NULL, "a column is missing"},
	{"id DESC ASC", NULL, "nothing may stand here any more"},
	{"id NULLS", NULL, "FIRST or LAST is missing"},
	{"lower(name)", NULL, "transforms are identity, bucket"},
	{"bucket(id)", NULL, "a comma is missing"},
	{"bucket(0, id)", NULL, "a whole number above 0 is missing"},
	{"bucket(16, id", NULL, "a parenthesis is not closed"},
	{"id; DROP TABLE t", NULL, "this is not understood"},
	{"zorder(id), name", NULL, "nothing may stand here any more"},
	{"name, zorder(id)", NULL, "zorder stands alone"},
	{"zorder(days(tz))", NULL, "zorder takes columns only"},
	{"zorder()", NULL, "a column is missing"},
	{"nope DESC", NULL, "column \"nope\" of sort_order is not in the table"},
	{"zorder(id, nope)", NULL, "column \"nope\" of sort_order is not in the table"},
	{"s", NULL, "column \"s\" of sort_order is of type struct"},
	{"tags.element", NULL, "lies in a list or map"},
	{"days(name)", NULL, "is of type string, which days does not take"},
	{"hours(day)", NULL, "is of type date, which hours does not take"},
	{"bucket(4, x)", NULL, "is of type double, which bucket does not take"},
	{"truncate(4, tz)", NULL, "is of type timestamptz, which truncate does not take"},
	{"zorder(price)", NULL, "is of type decimal(9, 2), which zorder does not take"},
};

static void
test_sort_orders(void)
{
	for (size_t i = 0; i < lengthof(sorts); i++)
	{
		const Case *c = &sorts[i];
		FloeArena *arena = floe_arena_new(FLOE_PREDICATE_ARENA);
		FloeStatus st;
		FloeSortOrder *order = floe_sort_order_parse(c->text, arena, &st);
		FloeBuf buf;
		bool done;

		floe_buf_init(&buf, 10000);
		done = order != NULL && floe_sort_order_bind(order, &schema, &st) &&
			   floe_sort_order_render_spark(order, &buf, &st);
		if (c->spark != NULL)
			is_str(done ? buf.data : st.message, c->spark, "sorted by %s", c->text);
		else
		{
			ok(!done && st.code == FLOE_ERR_CONFIG && strstr(st.message, c->trino) != NULL, "not by %s", c->text);
			if (done || strstr(st.message, c->trino) == NULL)
				printf("#   %s\n", done ? buf.data : st.message);
		}
		floe_buf_free(&buf);
		floe_arena_free(arena);
	}
}

/* Columns as floe keeps them. */
static void
test_schema(void)
{
	static const char text[] =
		"{\"columns\": [{\"id\": 1, \"name\": \"a\", \"type\": \"int\"}, {\"id\": 2, \"name\": \"b\", \"type\": "
		"\"string\"}], \"column_count\": 3, \"specs\": [{\"spec_id\": 0, \"fields\": []}, {\"spec_id\": 4, \"fields\": "
		"[{\"transform\": \"void\", \"source_id\": 1}, {\"transform\": \"day\", \"source_id\": 2}]}]}";
	static const char *const bad[] = {"{\"columns\": [{\"id\": 1}]}", "{\"specs\": [{}]}",
									  "{\"specs\": [{\"spec_id\": 1, \"fields\": [{\"transform\": 1}]}]}"};
	FloeArena *arena = floe_arena_new(100000);
	FloeStatus st;
	FloeJsonDoc *doc = floe_json_parse(text, strlen(text), "schema", 10000, &st);
	FloeTableSchema *read = floe_table_schema_read(floe_json_root(doc), arena, &st);
	int precision, scale;

	ok(read != NULL && read->ncolumns == 2 && !read->is_complete && read->nspecs == 2 && read->specs[1] == 4,
	   "a schema whose third column is not known");
	ok(read->nfields == 1 && read->fields[0].spec_id == 4 && read->fields[0].source_id == 2, "a void field is none");
	floe_json_free(doc);
	for (size_t i = 0; i < lengthof(bad); i++)
	{
		doc = floe_json_parse(bad[i], strlen(bad[i]), "schema", 10000, &st);
		ok(floe_table_schema_read(floe_json_root(doc), arena, &st) == NULL && st.code == FLOE_ERR_CONFIG, "%s", bad[i]);
		floe_json_free(doc);
	}
	is_int(floe_column_type("decimal(38,10)", &precision, &scale), FLOE_COLUMN_DECIMAL, "a decimal");
	is_int(precision * 100 + scale, 3810, "and its digits");
	is_int(floe_column_type("decimal(9,10)", &precision, &scale), FLOE_COLUMN_UNKNOWN, "one that cannot be");
	floe_arena_free(arena);
}

int
main(void)
{
	test_predicates();
	test_unknown_schema();
	test_evolved_specs();
	test_limits();
	test_sort_orders();
	test_schema();
	return tap_done();
}
