/*
 * metadata_dump.h: table metadata as lines of text, the same that test/fixtures/metadata/expect.py writes.
 */
#ifndef FLOE_TEST_METADATA_DUMP_H
#define FLOE_TEST_METADATA_DUMP_H

#include "base/buf.h"
#include "iceberg/metadata.h"

static inline void
dump_optional(FloeBuf *out, bool has, int64 value)
{
	if (has)
		floe_buf_printf(out, " %lld", (long long) value);
	else
		floe_buf_text(out, " -");
}

static inline void
dump_snapshot(FloeBuf *out, const FloeSnapshot *s)
{
	floe_buf_printf(out, "snapshot %lld", (long long) s->id);
	dump_optional(out, s->has_parent, s->parent_id);
	floe_buf_printf(out, " %lld %lld %s ", (long long) s->sequence_number, (long long) s->timestamp_ms,
					floe_snapshot_op_name(s->op));
	if (s->manifest_list != NULL)
		floe_buf_text(out, s->manifest_list);
	for (int i = 0; i < s->manifest_count && s->manifest_list == NULL; i++)
		floe_buf_printf(out, "%s%s", i > 0 ? "," : "", s->manifests[i]);
	dump_optional(out, s->has_schema_id, s->schema_id);
	dump_optional(out, s->has_first_row_id, s->first_row_id);
	dump_optional(out, s->has_added_rows, s->added_rows);
	floe_buf_text(out, s->has_key_id ? " key" : " -");
	for (int i = 0; i < FLOE_COUNTER_COUNT; i++)
	{
		int64 value;

		if (floe_snapshot_counter(s, i, &value))
			floe_buf_printf(out, " %s=%lld", floe_counter_name(i), (long long) value);
	}
	floe_buf_char(out, '\n');
}

static inline void
dump_properties(FloeBuf *out, const char *what, const FloeMetaProperties *properties)
{
	for (int i = 0; i < properties->count; i++)
		floe_buf_printf(out, "%s %s=%s\n", what, properties->items[i].name, properties->items[i].value);
}

static inline void
dump_fields(FloeBuf *out, const char *what, const FloeMetaFields *fields, bool is_default, bool is_order)
{
	floe_buf_printf(out, "%s %d %s", what, fields->id, is_default ? "default" : "-");
	for (int i = 0; i < fields->count; i++)
	{
		const FloeMetaField *field = &fields->items[i];

		floe_buf_char(out, ' ');
		if (!is_order)
			floe_buf_printf(out, "%d:%s=", field->field_id, field->name);
		floe_buf_printf(out, "%s(%d", field->transform, field->source_id);
		for (int k = 1; k < field->source_count; k++)
			floe_buf_printf(out, "+%d", field->source_ids[k]);
		floe_buf_char(out, ')');
		if (is_order)
			floe_buf_printf(out, "%s,%s", field->descending ? "desc" : "asc",
							field->nulls_last ? "nulls-last" : "nulls-first");
	}
	floe_buf_char(out, '\n');
}

static inline void
dump_head(FloeBuf *out, const FloeTableMeta *m)
{
	floe_buf_printf(out, "format-version %d\ntable-uuid %s\nlocation %s\n", m->format_version,
					m->table_uuid ? m->table_uuid : "-", m->location);
	floe_buf_printf(out, "last-updated-ms %lld\nlast-sequence-number %lld\nnext-row-id %lld\n",
					(long long) m->last_updated_ms, (long long) m->last_sequence_number, (long long) m->next_row_id);
	floe_buf_printf(out, "last-column-id %d\nlast-partition-id %d\ncurrent-snapshot-id", m->last_column_id,
					m->last_partition_id);
	dump_optional(out, m->has_current_snapshot, m->current_snapshot_id);
	floe_buf_char(out, '\n');
}

static inline void
dump_load_result(FloeBuf *out, const FloeLoadResult *load)
{
	if (load->metadata_location != NULL)
		floe_buf_printf(out, "metadata-location %s\n", load->metadata_location);
	dump_properties(out, "config", &load->config);
	for (int i = 0; i < load->credential_count; i++)
	{
		floe_buf_printf(out, "credential %s\n", load->credentials[i].prefix);
		dump_properties(out, "credential-config", &load->credentials[i].config);
	}
}

static inline void
dump_meta(FloeBuf *out, const FloeTableMeta *m)
{
	dump_head(out, m);
	for (int i = 0; i < m->snapshot_count; i++)
		dump_snapshot(out, &m->snapshots[i]);
	for (int i = 0; i < m->ref_count; i++)
		floe_buf_printf(out, "ref %s %s %lld %d %lld %lld\n", m->refs[i].name, m->refs[i].is_branch ? "branch" : "tag",
						(long long) m->refs[i].snapshot_id, m->refs[i].min_snapshots_to_keep,
						(long long) m->refs[i].max_snapshot_age_ms, (long long) m->refs[i].max_ref_age_ms);
	dump_properties(out, "property", &m->properties);
	for (int i = 0; i < m->spec_count; i++)
		dump_fields(out, "spec", &m->specs[i], &m->specs[i] == m->default_spec, false);
	for (int i = 0; i < m->sort_order_count; i++)
		dump_fields(out, "sort-order", &m->sort_orders[i], &m->sort_orders[i] == m->default_sort_order, true);
	floe_buf_printf(out, "schemas %d %d\n", m->schema_count, m->current_schema_id);
	for (int i = 0; i < m->column_count; i++)
		floe_buf_printf(out, "column %d %s %s %s\n", m->columns[i].id, m->columns[i].name,
						m->columns[i].required ? "required" : "optional", m->columns[i].type);
	for (int i = 0; i < m->field_type_count; i++)
		floe_buf_printf(out, "type %d %s\n", m->field_types[i].id, m->field_types[i].type);
	floe_buf_printf(out, "logs %d %d %lld %lld\nstatistics %d %lld\npartition-statistics %d %lld\n",
					m->snapshot_log_count, m->metadata_log_count, (long long) m->metadata_log_oldest_ms,
					(long long) m->metadata_log_newest_ms, m->statistics_count, (long long) m->statistics_bytes,
					m->partition_statistics_count, (long long) m->partition_statistics_bytes);
	floe_buf_printf(out, "encryption-keys %d\n", m->encryption_key_count);
	dump_load_result(out, &m->load);
}

#endif /* FLOE_TEST_METADATA_DUMP_H */
