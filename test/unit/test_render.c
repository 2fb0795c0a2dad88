/*
 * test_render.c: CALL statements, with names and texts that need care, and catalogs defined in a session.
 *
 * What these literals mean to Spark was checked on Spark 3.5.9 with Iceberg
 * 1.11.0 (test/tools/evil_names.sh).
 */
#include "floe.h"

#include "engine/render.h"
#include "engine/spark_catalog.h"
#include "engine/spark_literal.h"

#include "tap.h"

#define NOW INT64CONST(1767225600000) /* 2026-01-01 00:00 UTC */

typedef struct RenderCase
{
	const char *operation;
	const char *options;
	const char *want; /* behind "CALL `c`.system."; NULL: refused */
} RenderCase;

#define TABLE "table => '`c`.`db`.`t`'"

static const RenderCase renders[] = {
	{"rewrite_manifests", "{}", "rewrite_manifests(" TABLE ")"},
	{"rewrite_manifests", "{\"use_caching\": false, \"spec_id\": 0}",
	 "rewrite_manifests(" TABLE ", use_caching => false, spec_id => 0)"},
	{"rewrite_data_files",
	 "{\"target_file_size\": \"128MB\", \"min_input_files\": 2, \"rewrite_all\": true, \"delete_ratio_threshold\": "
	 "0.3, "
	 "\"rewrite_job_order\": \"bytes_desc\", \"where\": \"d = DATE '2026-01-01'\", \"strategy\": \"sort\", "
	 "\"sort_order\": "
	 "\"id DESC NULLS LAST\"}",
	 "rewrite_data_files(" TABLE ", strategy => 'sort', sort_order => '`id` DESC NULLS LAST', where => \"`d` = DATE "
	 "'2026-01-01'\", options => map('target-file-size-bytes', '134217728', 'min-input-files', '2', 'rewrite-all', "
	 "'true', "
	 "'delete-ratio-threshold', '0.3', 'rewrite-job-order', 'bytes-desc'))"},
	{"rewrite_position_delete_files", "{\"where\": \"x = 'a' AND \\\"y\\\" = 'it''s'\", \"rewrite-all\": \"false\"}",
	 "rewrite_position_delete_files(" TABLE
	 ", where => '`x` = ' \"'a' AND `y` = \" '\"it' \"'s\" '\"', options => map('rewrite-all', "
	 "'false'))"},
	/* by the clock that was given */
	{"rewrite_data_files", "{\"where\": \"d >= current_date - 1 day\"}",
	 "rewrite_data_files(" TABLE ", where => \"`d` >= DATE '2025-12-31'\")"},
	{"rewrite_data_files", "{\"sort_order\": \"zorder(a, \\\"b c\\\")\"}",
	 "rewrite_data_files(" TABLE ", sort_order => 'zorder(`a`, `b c`)')"},
	{"compute_table_stats", "{}", "compute_table_stats(" TABLE ")"},
	{"compute_table_stats", "{\"snapshot_id\": 7121959538477444050, \"columns\": [\"id\", \"n.a\", \"it's\"]}",
	 "compute_table_stats(" TABLE ", snapshot_id => 7121959538477444050, columns => array('id', 'n.a', \"it's\"))"},
	{"compute_partition_stats", "{\"snapshot_id\": \"5\"}", "compute_partition_stats(" TABLE ", snapshot_id => 5)"},
	{"compute_partition_stats", "{\"columns\": [\"id\"]}", NULL},
	{"compute_table_stats", "{\"columns\": []}", NULL},
	{"rewrite_data_files", "{\"where\": \"a = b\"}", NULL},
	{"expire_snapshots",
	 "{\"max_snapshot_age\": \"3 days\", \"retain_last\": 10, \"stream_results\": true, \"snapshot_ids\": [1, "
	 "\"7121959538477444050\"], \"clean_expired_metadata\": true, \"max_concurrent_deletes\": 4}",
	 "expire_snapshots(" TABLE
	 ", older_than => TIMESTAMP '2025-12-29 00:00:00.000Z', retain_last => 10, snapshot_ids => "
	 "array(1L, 7121959538477444050L), max_concurrent_deletes => 4, stream_results => true, clean_expired_metadata => "
	 "true)"},
	{"remove_orphan_files",
	 "{\"older_than\": \"3 days\", \"dry_run\": true, \"equal_schemes\": {\"s3a,s3n\": \"s3\", \"x\": \"y\"}, "
	 "\"prefix_mismatch_mode\": \"error\", \"prefix_listing\": true}",
	 "remove_orphan_files(" TABLE
	 ", older_than => TIMESTAMP '2025-12-29 00:00:00.000Z', dry_run => true, equal_schemes => "
	 "map('s3a,s3n', 's3', 'x', 'y'), prefix_mismatch_mode => 'error', prefix_listing => true)"},
	/* exactly a day would fall below the procedure's floor when the engine's clock is behind */
	{"remove_orphan_files", "{\"older_than\": \"24h\"}",
	 "remove_orphan_files(" TABLE ", older_than => TIMESTAMP '2025-12-30 23:50:00.000Z')"},
	{"remove_orphan_files", "{\"older_than\": \"23h\"}", NULL},
	{"remove_orphan_files", "{\"prefix_mismatch_mode\": \"delete\"}", NULL},
	{"remove_orphan_files", "{\"location\": \"file:/\"}", NULL},
	{"expire_snapshots", "{\"retain_last\": 0}", NULL},
	{"rewrite_data_files", "{\"compression_factor\": 2}", NULL},
	{"rewrite_data_files", "{\"where\": \"a = '\\\\'\"}", NULL},
	{"drop_table", "{}", NULL},
};

static void
test_render(void)
{
	static const char *const levels[] = {"db"};
	FloeEngineTable table = {"c", levels, 1, "t"};
	FloeJson none = {NULL, NULL};
	FloeStatus st;
	FloeBuf buf;

	floe_buf_init(&buf, 4096);
	for (size_t i = 0; i < lengthof(renders); i++)
	{
		const RenderCase *r = &renders[i];
		FloeJsonDoc *doc = floe_json_parse(r->options, strlen(r->options), "options", 10000, &st);
		bool done = floe_spark_render(&table, r->operation, floe_json_root(doc), NOW, &buf, &st);

		if (r->want == NULL)
			ok(!done, "%s %s is refused", r->operation, r->options);
		else
			is_str(done && strncmp(buf.data, "CALL `c`.system.", 16) == 0 ? buf.data + 16 : st.message, r->want,
				   "%s %s", r->operation, r->options);
		floe_buf_reset(&buf);
		floe_json_free(doc);
	}
	ok(floe_spark_render(&table, "rewrite_manifests", none, NOW, &buf, &st), "no options at all");
	is_str(buf.data, "CALL `c`.system.rewrite_manifests(" TABLE ")", "are none");
	floe_buf_free(&buf);
	floe_buf_init(&buf, 20);
	ok(!floe_spark_render(&table, "rewrite_manifests", none, NOW, &buf, &st) && st.code == FLOE_ERR_TOO_LARGE,
	   "a buffer that is too small");
	floe_buf_free(&buf);
}

/* -------------------------------------------------------------------------
 * Names
 * ------------------------------------------------------------------------- */

typedef struct NameCase
{
	const char *level;
	const char *table;
	const char *want; /* the argument; NULL: refused */
} NameCase;

static const NameCase names[] = {
	{"db", "t", "'`c`.`db`.`t`'"},
	{"Db", "T", "'`c`.`Db`.`T`'"},
	{"a.b", "c.d", "'`c`.`a.b`.`c.d`'"},
	{"db", "it's", "\"`c`.`db`.`it's`\""},
	{"db", "''", "\"`c`.`db`.`''`\""},
	{"db", "say \"hi\"", "'`c`.`db`.`say \"hi\"`'"},
	{"d'b", "t\"", "'`c`.`d' \"'b`.`t\" '\"`'"},
	{"db", "back`tick", "'`c`.`db`.`back``tick`'"},
	{"db", "`", "'`c`.`db`.````'"},
	{"db", "a b; DROP TABLE x", "'`c`.`db`.`a b; DROP TABLE x`'"},
	{"db", "a--b", "'`c`.`db`.`a--b`'"},
	{"db", "a/*b*/c", "'`c`.`db`.`a/*b*/c`'"},
	{"db", "line\nbreak", "'`c`.`db`.`line\nbreak`'"},
	{"db", "表_é😀", "'`c`.`db`.`表_é😀`'"},
	{"spark_catalog", "system", "'`c`.`spark_catalog`.`system`'"},
	{"db", "$x {y}", "'`c`.`db`.`$x {y}`'"},
	{"db", "a\\b", NULL},
	{"db", "${env:HOME}", NULL},
	{"db", "\xFF", NULL},
	{"db", "", NULL},
	{"", "t", NULL},
};

static void
test_names(void)
{
	FloeJson none = {NULL, NULL};
	static const char prefix[] = "CALL `c`.system.rewrite_manifests(table => ";

	for (size_t i = 0; i < lengthof(names); i++)
	{
		const NameCase *n = &names[i];
		const char *levels[] = {n->level};
		FloeEngineTable table = {"c", levels, 1, n->table};
		FloeStatus st;
		FloeBuf buf;
		bool done;

		floe_buf_init(&buf, 4096);
		done = floe_spark_render(&table, "rewrite_manifests", none, NOW, &buf, &st);
		if (n->want == NULL)
			ok(!done && st.code == FLOE_ERR_UNSUPPORTED, "name %zu is refused", i);
		else
		{
			if (done)
				buf.data[buf.len - 1] = '\0'; /* the closing parenthesis */
			is_str(done ? buf.data + sizeof(prefix) - 1 : st.message, n->want, "name %zu", i);
		}
		floe_buf_free(&buf);
	}
}

static void
test_levels(void)
{
	static const char *const levels[] = {"a", "b.c", "d"};
	FloeJson none = {NULL, NULL};
	FloeEngineTable table = {"my-cat_1", levels, 3, "t"};
	FloeStatus st;
	FloeBuf buf;

	floe_buf_init(&buf, 4096);
	ok(floe_spark_render(&table, "rewrite_manifests", none, NOW, &buf, &st), "nested namespaces");
	is_str(buf.data, "CALL `my-cat_1`.system.rewrite_manifests(table => '`my-cat_1`.`a`.`b.c`.`d`.`t`')",
		   "level by level");
	table.nlevels = 0;
	ok(!floe_spark_render(&table, "rewrite_manifests", none, NOW, &buf, &st), "no namespace");
	table.nlevels = 3;
	table.catalog = "c`; DROP";
	ok(!floe_spark_render(&table, "rewrite_manifests", none, NOW, &buf, &st) && st.code == FLOE_ERR_CONFIG,
	   "a catalog that Spark cannot have");
	floe_buf_free(&buf);
}

/* The quoting alone, read back by the rules of the parsers: adjacent literals are joined, nothing is escaped. */
static void
test_quoting(void)
{
	static const char alphabet[] = "a'\"`b ";
	uint32_t seed = 1;
	int wrong = 0;

	for (int round = 0; round < 20000; round++)
	{
		char text[16];
		char back[64];
		size_t n = 0;
		size_t len = round % 12;
		FloeBuf buf;

		for (size_t i = 0; i < len; i++)
		{
			seed = seed * 1664525 + 1013904223;
			text[i] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
		}
		text[len] = '\0';
		floe_buf_init(&buf, 1000);
		floe_spark_quote_text(&buf, text);
		for (const char *at = buf.data; *at != '\0';)
		{
			char quote = *at++;

			if (quote != '\'' && quote != '"')
			{
				wrong++;
				break;
			}
			while (*at != quote && *at != '\0')
				back[n++] = *at++;
			at++;
			/* literals are apart: '' is an escaped quote to some parsers */
			if (*at != '\0' && *at++ != ' ')
				wrong++;
		}
		back[n] = '\0';
		wrong += strcmp(text, back) != 0;
		floe_buf_free(&buf);
	}
	is_int(wrong, 0, "texts are read back as they were");
}

/* -------------------------------------------------------------------------
 * Catalogs
 * ------------------------------------------------------------------------- */

static void
test_catalog(void)
{
	static const FloeKeyValue properties[] = {{"uri", "http://catalog:8181"},
											  {"warehouse", "demo"},
											  {"credential", "id:secret"},
											  {"scope", NULL},
											  {"token", ""},
											  {"header.X-Tenant", "a"},
											  {"s3.endpoint", "http://s3:9000"}};
	static const FloeKeyValue want[] = {{"spark.sql.catalog.demo", "org.apache.iceberg.spark.SparkCatalog"},
										{"spark.sql.catalog.demo.type", "rest"},
										{"spark.sql.catalog.demo.cache-enabled", "false"},
										{"spark.sql.catalog.demo.uri", "http://catalog:8181"},
										{"spark.sql.catalog.demo.warehouse", "demo"},
										{"spark.sql.catalog.demo.credential", "id:secret"},
										{"spark.sql.catalog.demo.header.X-Tenant", "a"},
										{"spark.sql.catalog.demo.s3.endpoint", "http://s3:9000"}};
	static const FloeKeyValue bad[] = {{"uri", "a\nb"},  {"uri", "${env:HOME}"},    {"a b", "c"},
									   {"type", "hive"}, {"cache-enabled", "true"}, {"catalog-impl", "x.Y"},
									   {"", "x"}};
	static const char *const bad_names[] = {"", "a.b", "a b", "a(b", "é", NULL};
	FloeArena *arena = floe_arena_new(100000);
	FloeConfList conf = {0};
	FloeStatus st;

	ok(floe_conf_add(arena, &conf, "before", "1", &st), "a list that has something");
	ok(floe_spark_catalog_conf(arena, "demo", "rest", properties, lengthof(properties), &conf, &st), "a catalog");
	is_int(conf.count, 1 + (int) lengthof(want), "its settings");
	for (int i = 1; i < conf.count; i++)
	{
		is_str(conf.items[i].key, want[i - 1].key, "key");
		is_str(conf.items[i].value, want[i - 1].value, "value of %s", want[i - 1].key);
	}
	for (size_t i = 0; i < lengthof(bad); i++)
		ok(!floe_spark_catalog_conf(arena, "demo", "rest", &bad[i], 1, &conf, &st) && st.code == FLOE_ERR_CONFIG &&
			   strstr(st.message, "${env") == NULL,
		   "bad property %zu", i);
	for (size_t i = 0; i < lengthof(bad_names); i++)
		ok(!floe_spark_catalog_conf(arena, bad_names[i], "rest", properties, 1, &conf, &st) &&
			   st.code == FLOE_ERR_CONFIG,
		   "bad name %zu", i);
	ok(!floe_spark_catalog_conf(arena, "demo", "rest", properties + 1, 1, &conf, &st), "no uri");
	floe_arena_free(arena);
}

int
main(void)
{
	test_render();
	test_names();
	test_levels();
	test_quoting();
	test_catalog();
	return tap_done();
}
