/*
 * test_spark_options.c: the table of options, its checks, and the values people write.
 */
#include "floe.h"

#include "engine/spark_options.h"
#include "engine/spark_values.h"

#include "tap.h"

#define DATA "rewrite_data_files"
#define EXPIRE "expire_snapshots"
#define ORPHANS "remove_orphan_files"
#define STATS "compute_table_stats"

/* -------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------- */

static void
test_bytes(void)
{
	static const struct
	{
		const char *text;
		int64_t bytes; /* -1: refused */
	} sizes[] = {
		{"0", 0},
		{"134217728", 134217728},
		{"128MB", 134217728},
		{"128 MB", 134217728},
		{" 128mib ", 134217728},
		{"1kB", 1024},
		{"1 KB", 1024},
		{"512 GiB", INT64CONST(549755813888)},
		{"1TB", INT64CONST(1099511627776)},
		{"10B", 10},
		{"8388607 TiB", INT64CONST(9223370937343148032)},
		{"8388608 TiB", -1},
		{"9223372036854775807", INT64_MAX},
		{"9223372036854775808", -1},
		{"", -1},
		{"MB", -1},
		{"-1", -1},
		{"1.5GB", -1},
		{"1 PB", -1},
		{"1MBs", -1},
		{"1 MB x", -1},
		{"0x10", -1},
	};

	for (size_t i = 0; i < lengthof(sizes); i++)
	{
		int64_t bytes = -1;

		is_int(floe_spark_parse_bytes(sizes[i].text, &bytes) ? bytes : -1, sizes[i].bytes, "size \"%s\"",
			   sizes[i].text);
	}
}

static void
test_durations(void)
{
	static const struct
	{
		const char *text;
		int64_t ms; /* -1: refused */
		const char *canonical;
	} durations[] = {
		{"3 days", INT64CONST(259200000), "3 days"},
		{"1 day", INT64CONST(86400000), "1 day"},
		{"72h", INT64CONST(259200000), "3 days"},
		{"36 hours", INT64CONST(129600000), "36 hours"},
		{"1 day 12 hours", INT64CONST(129600000), "36 hours"},
		{"1d12h30m", INT64CONST(131400000), "2190 minutes"},
		{"90 Min", INT64CONST(5400000), "90 minutes"},
		{"2 weeks", INT64CONST(1209600000), "14 days"},
		{"45s", 45000, "45 seconds"},
		{"1500ms", 1500, "1500 milliseconds"},
		{"0 days", 0, "0 seconds"},
		{"P3D", INT64CONST(259200000), "3 days"},
		{"PT72H", INT64CONST(259200000), "3 days"},
		{"P1DT12H", INT64CONST(129600000), "36 hours"},
		{"P2W", INT64CONST(1209600000), "14 days"},
		{"PT90M", INT64CONST(5400000), "90 minutes"},
		{"PT1M30S", 90000, "90 seconds"},
		{"36600 days", INT64CONST(3162240000000), "36600 days"},
		{"36601 days", -1, NULL},
		{"9223372036854775807 days", -1, NULL},
		{"", -1, NULL},
		{"3", -1, NULL},
		{"days", -1, NULL},
		{"-3 days", -1, NULL},
		{"1.5 days", -1, NULL},
		{"1 month", -1, NULL},
		{"1 year", -1, NULL},
		{"3 days ago", -1, NULL},
		{"P", -1, NULL},
		{"PT", -1, NULL},
		{"P1", -1, NULL},
		{"P1M", -1, NULL},
		{"P1Y", -1, NULL},
		{"P1DT", -1, NULL},
		{"PT1H1D", -1, NULL},
		{"P1H", -1, NULL},
		{"PT1M1H", -1, NULL},
		{"PT1H1H", -1, NULL},
		{"P1D ", -1, NULL},
	};

	for (size_t i = 0; i < lengthof(durations); i++)
	{
		int64_t ms = -1;
		FloeBuf buf;

		is_int(floe_spark_parse_duration(durations[i].text, &ms) ? ms : -1, durations[i].ms, "duration \"%s\"",
			   durations[i].text);
		if (durations[i].ms < 0)
			continue;
		floe_buf_init(&buf, 100);
		floe_spark_append_duration(&buf, ms);
		is_str(buf.data, durations[i].canonical, "duration \"%s\", canonical", durations[i].text);
		floe_buf_free(&buf);
	}
}

static void
test_timestamps(void)
{
	static const struct
	{
		int64_t ms;
		const char *text;
	} times[] = {
		{INT64CONST(1767225600000), "2026-01-01 00:00:00.000Z"},
		{INT64CONST(1772323199999), "2026-02-28 23:59:59.999Z"},
		{INT64CONST(1709210096789), "2024-02-29 12:34:56.789Z"},
		{0, "1970-01-01 00:00:00.000Z"},
		{-1, "1969-12-31 23:59:59.999Z"},
		{-1000, "1969-12-31 23:59:59.000Z"},
	};

	for (size_t i = 0; i < lengthof(times); i++)
	{
		FloeBuf buf;

		floe_buf_init(&buf, 100);
		floe_spark_append_timestamp(&buf, times[i].ms);
		is_str(buf.data, times[i].text, "time %lld", (long long) times[i].ms);
		floe_buf_free(&buf);
	}
}

/* -------------------------------------------------------------------------
 * The table
 * ------------------------------------------------------------------------- */

static void
test_table(void)
{
	const FloeSparkOption *o;
	size_t n = 0;

	for (; (o = floe_spark_option_at(n)) != NULL; n++)
	{
		bool has_values = o->values != NULL;

		if (floe_spark_option_find(o->operation, o->name) != o ||
			floe_spark_option_find(o->operation, o->engine_name) != o)
			ok(false, "%s of %s is found by both of its names", o->name, o->operation);
		if (has_values != (o->type == FLOE_OPTION_ENUM) || o->description[0] == '\0' || o->default_text[0] == '\0' ||
			strchr(o->description, '.') != NULL)
			ok(false, "%s of %s is described", o->name, o->operation);
		/* the two places are rendered in different ways: a type belongs to one it is rendered in */
		if (o->place == FLOE_OPTION_MAP && o->type != FLOE_OPTION_BYTES && o->type != FLOE_OPTION_COUNT &&
			o->type != FLOE_OPTION_RATIO && o->type != FLOE_OPTION_BOOLEAN && o->type != FLOE_OPTION_ENUM)
			ok(false, "%s of %s can be an entry of the map", o->name, o->operation);
		if (o->place == FLOE_OPTION_ARGUMENT && o->type == FLOE_OPTION_RATIO)
			ok(false, "%s of %s can be an argument", o->name, o->operation);
		if (floe_option_type_name(o->type) == NULL)
			ok(false, "the type of %s has a name", o->name);
	}
	is_int(n, 25 + 11 + 2 + 6 + 10 + 2 + 1, "options of the seven operations");
	ok(floe_spark_operation_known(DATA) && !floe_spark_operation_known("optimize"), "operations are known");
	ok(floe_spark_option_find(DATA, "retain_last") == NULL, "an option belongs to its operation");
}

/* -------------------------------------------------------------------------
 * Checks
 * ------------------------------------------------------------------------- */

typedef struct CheckCase
{
	const char *operation;
	const char *options;
	bool is_complete;
	const char *canonical; /* NULL: refused */
	const char *message;   /* a part of it */
	const char *detail;    /* a part of it */
} CheckCase;

static const CheckCase checks[] = {
	{DATA, "{}", true, "{}", NULL, NULL},
	{DATA, "null", true, "{}", NULL, NULL},
	{DATA, "[]", true, NULL, "not a JSON object", ""},
	{"optimize", "{}", true, NULL, "no operation \"optimize\"", ""},

	/* names */
	{DATA, "{\"target_file_size\": \"128MB\"}", true, "{\"target_file_size\":134217728}", NULL, NULL},
	{DATA, "{\"target-file-size-bytes\": 134217728}", true, "{\"target_file_size\":134217728}", NULL, NULL},
	{DATA, "{\"target_file_size_bytes\": \"134217728\"}", true, "{\"target_file_size\":134217728}", NULL, NULL},
	{DATA, "{\"partial-progress.enabled\": true}", true, "{\"partial_progress_enabled\":true}", NULL, NULL},
	{DATA, "{\"target_file_size\": 1, \"target-file-size-bytes\": 1}", true, NULL,
	 "\"target_file_size\" of rewrite_data_files is given twice", ""},
	{DATA, "{\"no_such\": 1}", true, NULL, "rewrite_data_files has no option \"no_such\"",
	 "Valid options: strategy, sort_order,"},
	{DATA, "{\"max-file-group-input-files\": 5}", true, NULL, "has no option", ""},
	{"rewrite_manifests", "{\"target_file_size\": 1}", true, NULL, "rewrite_manifests has no option",
	 "Valid options: use_caching, spec_id."},
	{DATA, "{\"rewrite_all\": null, \"min_input_files\": 2}", true, "{\"min_input_files\":2}", NULL, NULL},
	{DATA, "{\"rewrite_all\": true, \"strategy\": \"BinPack\"}", true,
	 "{\"strategy\":\"binpack\",\"rewrite_all\":true}", NULL, NULL},

	/* types */
	{DATA, "{\"target_file_size\": \"big\"}", true, NULL, "invalid value for option \"target_file_size\"",
	 "It takes a size such as \"128MB\" or a number of bytes, at least 1."},
	{DATA, "{\"target_file_size\": 0}", true, NULL, "invalid value", "at least 1"},
	{DATA, "{\"target_file_size\": 1.5}", true, NULL, "invalid value", ""},
	{DATA, "{\"target_file_size\": {}}", true, NULL, "invalid value", ""},
	{DATA, "{\"min_input_files\": \"5\"}", true, "{\"min_input_files\":5}", NULL, NULL},
	{DATA, "{\"min_input_files\": \"5kB\"}", true, NULL, "invalid value",
	 "It takes a whole number, at least 1, at most 2147483647."},
	{DATA, "{\"min_input_files\": 2147483648}", true, NULL, "invalid value", "at most 2147483647"},
	{DATA, "{\"min_input_files\": true}", true, NULL, "invalid value", ""},
	{DATA, "{\"delete_ratio_threshold\": 0.25}", true, "{\"delete_ratio_threshold\":0.25}", NULL, NULL},
	{DATA, "{\"delete_ratio_threshold\": \"1\"}", true, "{\"delete_ratio_threshold\":1}", NULL, NULL},
	{DATA, "{\"delete_ratio_threshold\": 0}", true, NULL, "invalid value", "It takes a number above 0, at most 1."},
	{DATA, "{\"delete_ratio_threshold\": 1.01}", true, NULL, "invalid value", ""},
	{DATA, "{\"delete_ratio_threshold\": \"nan\"}", true, NULL, "invalid value", ""},
	{DATA, "{\"delete_ratio_threshold\": \"1e999\"}", true, NULL, "invalid value", ""},
	{DATA, "{\"rewrite_all\": \"TRUE\"}", true, "{\"rewrite_all\":true}", NULL, NULL},
	{DATA, "{\"rewrite_all\": 1}", true, NULL, "invalid value", "It takes true or false."},
	{DATA, "{\"rewrite_job_order\": \"BYTES_DESC\"}", true, "{\"rewrite_job_order\":\"bytes-desc\"}", NULL, NULL},
	{DATA, "{\"rewrite_job_order\": \"bytes\"}", true, NULL, "invalid value",
	 "It takes one of none, bytes-asc, bytes-desc, files-asc, files-desc."},
	{DATA, "{\"where\": \"d >= DATE '2026-01-01'\"}", true, "{\"where\":\"d >= DATE '2026-01-01'\"}", NULL, NULL},
	{DATA, "{\"where\": \" \"}", true, NULL, "invalid value", ""},
	{DATA, "{\"where\": \"x = 1; DROP TABLE t\"}", true, NULL,
	 "invalid value for option \"where\" of rewrite_data_files: this is not understood at character 6",
	 "It takes a predicate on columns, such as"},
	{DATA, "{\"where\": \"lower(x) = 'a'\"}", true, NULL, "functions are not understood", "predicates.md"},
	{STATS, "{\"columns\": [\"a\", \"b.c\"], \"snapshot-id\": \"7\"}", true,
	 "{\"snapshot_id\":7,\"columns\":[\"a\",\"b.c\"]}", NULL, NULL},
	{STATS, "{\"columns\": [\"a\", \"a\"]}", true, NULL, "invalid value",
	 "It takes an array of 1 to 1000 names of columns"},
	{STATS, "{\"columns\": \"a\"}", true, NULL, "invalid value", ""},
	{STATS, "{\"columns\": [1]}", true, NULL, "invalid value", ""},
	{STATS, "{\"columns\": [\"a\\\\b\"]}", true, NULL, "backslash", ""},
	{STATS, "{\"snapshot_id\": -1}", true, NULL, "invalid value", ""},
	{"compute_partition_stats", "{\"columns\": [\"a\"]}", true, NULL, "has no option", "Valid options: snapshot_id."},
	{DATA, "{\"where\": \"x LIKE 'a\\\\_b'\"}", true, NULL, "backslash", ""},
	{DATA, "{\"where\": \"x = '${env:HOME}'\"}", true, NULL, "${", ""},
	{EXPIRE, "{\"snapshot_ids\": [7121959538477444050, \"1\"]}", true, "{\"snapshot_ids\":[7121959538477444050,1]}",
	 NULL, NULL},
	{EXPIRE, "{\"snapshot_ids\": []}", true, NULL, "invalid value", "It takes an array of 1 to 10000 snapshot ids."},
	{EXPIRE, "{\"snapshot_ids\": [-1]}", true, NULL, "invalid value", ""},
	{EXPIRE, "{\"snapshot_ids\": [\"1 kB\"]}", true, NULL, "invalid value", ""},
	{EXPIRE, "{\"snapshot_ids\": 1}", true, NULL, "invalid value", ""},
	{ORPHANS, "{\"equal_schemes\": {\"s3a,s3n\": \"s3\"}}", true, "{\"equal_schemes\":{\"s3a,s3n\":\"s3\"}}", NULL,
	 NULL},
	{ORPHANS, "{\"equal_schemes\": {}}", true, NULL, "invalid value", "It takes an object of 1 to 100 texts."},
	{ORPHANS, "{\"equal_schemes\": {\"a\": 1}}", true, NULL, "invalid value", ""},
	{ORPHANS, "{\"equal_schemes\": {\"a\\\\b\": \"c\"}}", true, NULL, "backslash", ""},

	/* floors */
	{EXPIRE, "{\"max_snapshot_age\": \"P5D\", \"retain_last\": 10}", true,
	 "{\"max_snapshot_age\":\"5 days\",\"retain_last\":10}", NULL, NULL},
	{EXPIRE, "{\"older_than\": \"12h\"}", true, "{\"max_snapshot_age\":\"12 hours\"}", NULL, NULL},
	{EXPIRE, "{\"max_snapshot_age\": 5}", true, NULL, "invalid value",
	 "It takes a duration such as \"3 days\", \"72h\" or \"P3D\"."},
	{EXPIRE, "{\"retain_last\": 0}", true, NULL, "invalid value for option \"retain_last\"", "at least 1"},
	{EXPIRE, "{\"retain_last\": -1}", true, NULL, "invalid value for option \"retain_last\"", ""},
	{ORPHANS, "{\"older_than\": \"24h\"}", true, "{\"older_than\":\"1 day\"}", NULL, NULL},
	{ORPHANS, "{\"older_than\": \"23h\"}", true, NULL, "invalid value for option \"older_than\"", "at least 1 day"},
	{ORPHANS, "{\"older_than\": \"86399999 ms\"}", true, NULL, "invalid value for option \"older_than\"", ""},
	{ORPHANS, "{\"prefix_mismatch_mode\": \"IGNORE\"}", true, "{\"prefix_mismatch_mode\":\"ignore\"}", NULL, NULL},
	{ORPHANS, "{\"prefix_mismatch_mode\": \"DELETE\"}", true, NULL, "invalid value", "It takes one of error, ignore."},
	{ORPHANS, "{\"location\": \"s3://b/x\"}", true, NULL, "option \"location\" of remove_orphan_files cannot be set",
	 "own location"},
	{ORPHANS, "{\"file_list_view\": \"v\"}", true, NULL, "cannot be set", "session"},

	/* contradictions */
	{DATA, "{\"target_file_size\": 100, \"min_file_size\": 100}", true, NULL,
	 "min_file_size of rewrite_data_files is not below target_file_size", ""},
	{DATA, "{\"target_file_size\": 100, \"max_file_size\": 100}", true, NULL,
	 "max_file_size of rewrite_data_files is not above target_file_size", ""},
	{DATA, "{\"min_file_size\": 200, \"max_file_size\": 100}", true, NULL,
	 "min_file_size of rewrite_data_files is not below max_file_size", ""},
	{DATA, "{\"target_file_size\": 100, \"min_file_size\": 99, \"max_file_size\": 101}", true,
	 "{\"target_file_size\":100,\"min_file_size\":99,\"max_file_size\":101}", NULL, NULL},
	{DATA, "{\"strategy\": \"binpack\", \"sort_order\": \"id\"}", false, NULL,
	 "sort_order of rewrite_data_files needs strategy sort", ""},
	{DATA, "{\"sort_order\": \"id DESC NULLS LAST, bucket(4, x)\"}", true,
	 "{\"sort_order\":\"id DESC NULLS LAST, bucket(4, x)\"}", NULL, NULL},
	{DATA, "{\"strategy\": \"sort\"}", true, "{\"strategy\":\"sort\"}", NULL, NULL},
	{DATA, "{\"sort_order\": \"zorder(a, b)\", \"max_output_size\": 64}", true,
	 "{\"sort_order\":\"zorder(a, b)\",\"max_output_size\":64}", NULL, NULL},
	{DATA, "{\"sort_order\": \"zorder(a), b\"}", true, NULL, "invalid value for option \"sort_order\"", ""},
	{DATA, "{\"sort_order\": \"b, ZOrder (a)\"}", true, NULL, "invalid value for option \"sort_order\"", ""},
	{DATA, "{\"sort_order\": \"bucket(4, x\"}", true, NULL, "invalid value for option \"sort_order\"", ""},
	{DATA, "{\"sort_order\": \"x)\"}", true, NULL, "invalid value for option \"sort_order\"", ""},
	{DATA, "{\"sort_order\": \"`a)(,b`\"}", true, "{\"sort_order\":\"`a)(,b`\"}", NULL, NULL},
	{DATA, "{\"compression_factor\": 2}", true, NULL, "compression_factor of rewrite_data_files needs strategy sort",
	 ""},
	{DATA, "{\"compression_factor\": 2}", false, "{\"compression_factor\":2}", NULL, NULL},
	{DATA, "{\"compression_factor\": 2, \"strategy\": \"binpack\"}", false, NULL, "needs strategy sort", ""},
	{DATA, "{\"compression_factor\": 2, \"strategy\": \"sort\"}", true,
	 "{\"strategy\":\"sort\",\"compression_factor\":2}", NULL, NULL},
	{DATA, "{\"var_length_contribution\": 8, \"strategy\": \"sort\"}", true, NULL, "needs a sort_order of zorder(…)",
	 ""},
	{DATA, "{\"var_length_contribution\": 8, \"strategy\": \"sort\"}", false,
	 "{\"strategy\":\"sort\",\"var_length_contribution\":8}", NULL, NULL},
	{DATA, "{\"var_length_contribution\": 8, \"sort_order\": \"id\"}", false, NULL, "needs a sort_order of zorder(…)",
	 ""},
};

static void
test_checks(void)
{
	for (size_t i = 0; i < lengthof(checks); i++)
	{
		const CheckCase *k = &checks[i];
		FloeStatus st;
		FloeJsonDoc *doc = floe_json_parse(k->options, strlen(k->options), "options", 10000, &st);
		FloeBuf buf;
		bool done;

		floe_buf_init(&buf, 10000);
		done = floe_spark_options_check(k->operation, floe_json_root(doc), k->is_complete, &buf, &st);
		if (k->canonical != NULL)
		{
			FloeJsonDoc *again;
			FloeBuf twice;

			is_str(done ? buf.data : st.message, k->canonical, "%s %s", k->operation, k->options);
			/* what is stored is read back as itself */
			floe_buf_init(&twice, 10000);
			again = floe_json_parse(buf.data, buf.len, "options", 10000, &st);
			done = floe_spark_options_check(k->operation, floe_json_root(again), k->is_complete, &twice, &st);
			is_str(done ? twice.data : st.message, k->canonical, "and again");
			floe_buf_free(&twice);
			floe_json_free(again);
		}
		else
		{
			ok(!done &&
				   st.code == (strstr(k->message, "backslash") || strcmp(k->message, "${") == 0 ? FLOE_ERR_UNSUPPORTED
																								: FLOE_ERR_CONFIG) &&
				   strstr(st.message, k->message) != NULL && strstr(st.detail, k->detail) != NULL,
			   "refused: %s %s", k->operation, k->options);
			if (!done && (strstr(st.message, k->message) == NULL || strstr(st.detail, k->detail) == NULL))
				printf("#   %s / %s\n", st.message, st.detail);
		}
		floe_buf_free(&buf);
		floe_json_free(doc);
	}
}

int
main(void)
{
	test_bytes();
	test_durations();
	test_timestamps();
	test_table();
	test_checks();
	return tap_done();
}
