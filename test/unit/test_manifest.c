/*
 * test_manifest.c: whole tables from test/fixtures/avro, written by others and
 * compared with numbers computed by others (make.py, oracle.py in that folder).
 */
#include "floe.h"

#include "avro_fixture.h"

#include <math.h>

#include "tap.h"

/* A row of the manifest list against its expected values. */
static void
check_row(const char *table, const FloeManifest *m, FloeJson want)
{
	const struct
	{
		const char *name;
		int64_t value;
		uint32_t known; /* 0: always */
	} fields[] = {
		{"length", m->length, 0},
		{"spec_id", m->spec_id, 0},
		{"content", m->content, 0},
		{"sequence_number", m->sequence_number, 0},
		{"min_sequence_number", m->min_sequence_number, 0},
		{"added_snapshot_id", m->added_snapshot_id, FLOE_MANIFEST_HAS_SNAPSHOT_ID},
		{"added_files", m->added_files, FLOE_MANIFEST_HAS_ADDED_FILES},
		{"existing_files", m->existing_files, FLOE_MANIFEST_HAS_EXISTING_FILES},
		{"deleted_files", m->deleted_files, FLOE_MANIFEST_HAS_DELETED_FILES},
		{"added_rows", m->added_rows, FLOE_MANIFEST_HAS_ADDED_ROWS},
		{"existing_rows", m->existing_rows, FLOE_MANIFEST_HAS_EXISTING_ROWS},
		{"deleted_rows", m->deleted_rows, FLOE_MANIFEST_HAS_DELETED_ROWS},
		{"first_row_id", m->first_row_id, FLOE_MANIFEST_HAS_FIRST_ROW_ID},
	};

	is_str(m->path, floe_json_string(floe_json_field(want, "path")), "%s: path", table);
	ok(!m->encrypted, "%s: not encrypted", table);
	for (size_t i = 0; i < lengthof(fields); i++)
	{
		bool known = fields[i].known == 0 || (m->known & fields[i].known) != 0;

		is_int(known ? fields[i].value : -1, json_int(want, fields[i].name), "%s: %s", table, fields[i].name);
	}
}

/* What the blob says about the manifest as a whole. */
static void
check_header(const char *table, const FloeManifest *m, const FloeBuf *blob, bool paths, FloeJson want)
{
	FloeJson entries = floe_json_field(want, "entries");
	FloeAggReader reader;
	FloeStatus st;

	if (!went_well(floe_agg_open(&reader, blob->data, blob->len, &st), &st, table, "blob opens"))
		return;
	ok(reader.header.content == m->content && reader.header.spec_id == m->spec_id, "%s: content and spec", table);
	is_int(reader.header.added, json_int(entries, "added"), "%s: added entries", table);
	is_int(reader.header.existing, json_int(entries, "existing"), "%s: existing entries", table);
	is_int(reader.header.deleted, json_int(entries, "deleted"), "%s: deleted entries", table);
	ok(reader.header.unpartitioned == floe_json_is_true(floe_json_field(want, "unpartitioned")), "%s: unpartitioned",
	   table);
	ok(reader.header.has_paths == (paths && m->content == FLOE_MANIFEST_DATA), "%s: paths as asked for", table);
	floe_agg_close(&reader);
}

static void
is_ratio(double got, FloeJson want, const char *table, const char *name)
{
	double number;

	if (!floe_json_number(want, &number))
		ok(isnan(got), "%s: %s is unknown", table, name);
	else
		ok(fabs(got - number) <= 1e-9 * fabs(number), "%s: %s is %.17g", table, name, number);
}

static void
check_totals(const char *table, const FloeHealthTotals *t, bool paths, FloeJson want)
{
	const struct
	{
		const char *name;
		int64_t value;
	} counts[] = {
		{"manifest_count", t->manifest_count},
		{"data_manifest_count", t->data_manifest_count},
		{"delete_manifest_count", t->delete_manifest_count},
		{"manifest_bytes", t->manifest_bytes},
		{"excess_manifest_count", t->excess_manifest_count},
		{"data_file_count", t->data_file_count},
		{"data_bytes", t->data_bytes},
		{"record_count", t->record_count},
		{"small_file_count", t->small_file_count},
		{"small_file_bytes", t->small_file_bytes},
		{"excess_file_count", t->excess_file_count},
		{"oversized_file_count", t->oversized_file_count},
		{"oversized_file_bytes", t->oversized_file_bytes},
		{"position_delete_files", t->position_deletes.files},
		{"position_delete_rows", t->position_deletes.rows},
		{"equality_delete_files", t->equality_deletes.files},
		{"equality_delete_rows", t->equality_deletes.rows},
		{"deletion_vector_files", t->deletion_vectors.files},
		{"deletion_vector_rows", t->deletion_vectors.rows},
		{"delete_bytes", t->delete_bytes},
		{"partition_count", t->partition_count},
		{"deleted_entry_count", t->deleted_entry_count},
	};

	for (size_t i = 0; i < lengthof(counts); i++)
		is_int(counts[i].value, json_int(want, counts[i].name), "%s: %s", table, counts[i].name);
	if (paths)
		is_int(t->dangling_delete_count, json_int(want, "dangling_delete_count"), "%s: dangling_delete_count", table);
	is_ratio(t->average_file_bytes, floe_json_field(want, "average_file_bytes"), table, "average_file_bytes");
	is_ratio(t->delete_ratio, floe_json_field(want, "delete_ratio"), table, "delete_ratio");
	is_ratio(t->partition_skew, floe_json_field(want, "partition_skew"), table, "partition_skew");
	is_ratio(t->manifest_spread, floe_json_field(want, "manifest_spread"), table, "manifest_spread");
	is_ratio(t->stat_column_count, floe_json_field(want, "stat_column_count"), table, "stat_column_count");
	ok(!t->inexact, "%s: everything is exact under the thresholds in force", table);
}

static void
check_partition(const char *table, const FloeHealthPartition *p, bool paths, FloeJson want)
{
	FloeJson snapshots = floe_json_field(want, "snapshots");
	FloeJson sequences = floe_json_field(want, "sequence_numbers");
	const struct
	{
		const char *name;
		int64_t value;
	} counts[] = {
		{"spec_id", p->spec_id},
		{"data_file_count", p->data_file_count},
		{"data_bytes", p->data_bytes},
		{"record_count", p->record_count},
		{"small_file_count", p->small_file_count},
		{"small_file_bytes", p->small_file_bytes},
		{"excess_file_count", p->excess_file_count},
		{"oversized_file_count", p->oversized_file_count},
		{"oversized_file_bytes", p->oversized_file_bytes},
		{"position_delete_files", p->position_deletes.files},
		{"position_delete_rows", p->position_deletes.rows},
		{"equality_delete_files", p->equality_deletes.files},
		{"equality_delete_rows", p->equality_deletes.rows},
		{"deletion_vector_files", p->deletion_vectors.files},
		{"deletion_vector_rows", p->deletion_vectors.rows},
		{"delete_row_count", p->delete_row_count},
		{"delete_bytes", p->delete_bytes},
		{"manifest_count", p->manifest_count},
	};

	is_str(p->partition, floe_json_string(floe_json_field(want, "partition")), "%s: partition", table);
	for (size_t i = 0; i < lengthof(counts); i++)
		is_int(counts[i].value, json_int(want, counts[i].name), "%s: %s: %s", table, p->partition, counts[i].name);
	if (paths)
		is_int(p->dangling_delete_count, json_int(want, "dangling_delete_count"), "%s: %s: dangling", table,
			   p->partition);
	is_ratio(p->average_file_bytes, floe_json_field(want, "average_file_bytes"), table, "average_file_bytes");
	is_ratio(p->delete_ratio, floe_json_field(want, "delete_ratio"), table, "delete_ratio");
	for (size_t i = 0; i < floe_json_length(sequences); i++)
	{
		int64_t number = -1;

		floe_json_int(floe_json_at(sequences, i), &number);
		is_int(i == 0 ? p->min_sequence_number : p->max_sequence_number, number, "%s: sequence number", table);
	}
	is_int(p->snapshots.count, floe_json_length(snapshots), "%s: %s: snapshots", table, p->partition);
	for (size_t i = 0; i < floe_json_length(snapshots) && i < p->snapshots.count; i++)
	{
		int64_t id = -1;

		floe_json_int(floe_json_at(snapshots, i), &id);
		is_int(p->snapshots.refs[i].snapshot_id, id, "%s: %s: snapshot %zu", table, p->partition, i);
	}
}

/* Rows of expected.json are in order of first appearance only as far as blobs are not sorted: look them up. */
static FloeJson
find_expected(FloeJson partitions, const FloeHealthPartition *p)
{
	for (size_t i = 0; i < floe_json_length(partitions); i++)
	{
		FloeJson want = floe_json_at(partitions, i);

		if (strcmp(p->partition, floe_json_string(floe_json_field(want, "partition"))) == 0 &&
			p->spec_id == json_int(want, "spec_id"))
			return want;
	}
	return (FloeJson){NULL, NULL};
}

static bool
add_manifests(FloeAvroReader *avro, const char *table, const FloeManifestList *list, FloeManifestContent content,
			  const FloeAggOptions *options, FloeHealth *health, FloeJson want)
{
	FloeStatus st;
	FloeBuf blob;
	bool good = true;

	floe_buf_init(&blob, 1024 * 1024);
	for (uint32_t i = 0; good && i < list->count; i++)
	{
		const FloeManifest *m = &list->manifests[i];
		Bytes bytes;

		if (m->content != content)
			continue;
		bytes = read_fixture(table, file_name(m->path));
		good = went_well(floe_manifest_read(avro, bytes.data, bytes.len, m, options, &blob, &st), &st, table,
						 file_name(m->path));
		free(bytes.data);
		if (!good)
			break;
		check_header(table, m, &blob, options->keep_paths, floe_json_at(want, i));
		good = went_well(floe_health_add(health, m->content, m->spec_id, m->length, blob.data, blob.len, &st), &st,
						 table, "merged");
	}
	floe_buf_free(&blob);
	return good;
}

static void
test_table(FloeAvroReader *avro, const char *table, bool paths)
{
	Bytes expected_text = read_fixture(table, "expected.json");
	Bytes list_bytes = read_fixture(table, "list.avro");
	FloeArena *arena = floe_arena_new(16 * 1024 * 1024);
	FloeStatus st;
	FloeJsonDoc *doc = floe_json_parse(expected_text.data, expected_text.len, "expected.json", 1024 * 1024, &st);
	FloeJson expected = floe_json_root(doc);
	FloeJson manifests = floe_json_field(expected, "manifests");
	FloeHealthOptions options = fixture_options(expected);
	FloeAggOptions agg = {.bounds = options.bounds, .keep_paths = paths};
	FloeHealth *health = floe_health_new(arena, &options, &st);
	FloeHealthTotals totals;
	FloeManifestList list;

	went_well(floe_manifest_list_read(avro, list_bytes.data, list_bytes.len, arena, &list, &st), &st, table, "list");
	is_int(list.count, floe_json_length(manifests), "%s: manifests", table);
	for (uint32_t i = 0; i < list.count; i++)
		check_row(table, &list.manifests[i], floe_json_at(manifests, i));
	if (add_manifests(avro, table, &list, FLOE_MANIFEST_DELETES, &agg, health, manifests) &&
		add_manifests(avro, table, &list, FLOE_MANIFEST_DATA, &agg, health, manifests) &&
		went_well(floe_health_finish(health, &totals, &st), &st, table, "health"))
	{
		FloeJson rows = floe_json_field(expected, "partitions");

		check_totals(table, &totals, paths, floe_json_field(expected, "totals"));
		is_int(totals.partition_rows, floe_json_length(rows), "%s: partitions", table);
		for (uint32_t i = 0; i < totals.partition_rows; i++)
		{
			const FloeHealthPartition *p = floe_health_partition(health, i);

			check_partition(table, p, paths, find_expected(rows, p));
		}
		ok(!(paths && totals.needs_paths), "%s: paths are not missed when they are there", table);
		if (strcmp(table, "deletes") == 0 || strcmp(table, "vectors") == 0)
			ok(totals.needs_paths == !paths, "%s: paths are missed when they are not", table);
		else if (strncmp(table, "spark_", 6) != 0)
			ok(!totals.needs_paths, "%s: no paths needed", table);
	}
	floe_json_free(doc);
	floe_arena_free(arena);
	free(expected_text.data);
	free(list_bytes.data);
}

int
main(void)
{
	static const char *const tables[] = {"v1",   "types",        "deletes",      "vectors",  "many",     "empty",
										 "dead", "pyiceberg_v1", "pyiceberg_v2", "spark_v1", "spark_v2", "spark_v3"};
	FloeAvroReader *avro = floe_avro_reader_new(&floe_avro_default_limits);

	for (size_t i = 0; i < lengthof(tables); i++)
	{
		test_table(avro, tables[i], true);
		test_table(avro, tables[i], false);
	}
	floe_avro_reader_free(avro);
	return tap_done();
}
