/*
 * assess_facts.c: what apply_assessment() stores of a table's metadata, as JSON.
 */
#include "floe.h"

#include "pass/assess.h"

#include "base/json.h"
#include "iceberg/retention.h"

#include <string.h>

#define MAX_COLUMNS_SHOWN 2000
#define MAX_REPLACES_SHOWN 20
#define MAX_STATISTICS_SHOWN 1000

static void
key_text(FloeBuf *out, const char *key, const char *value)
{
	floe_buf_printf(out, "\"%s\": ", key);
	if (value != NULL)
		floe_json_quote(out, value, strlen(value));
	else
		floe_buf_text(out, "null");
}

static void
key_int(FloeBuf *out, const char *key, bool known, int64 value)
{
	if (known)
		floe_buf_printf(out, "\"%s\": %lld", key, (long long) value);
	else
		floe_buf_printf(out, "\"%s\": null", key);
}

bool
floe_assess_properties(const FloeTableMeta *meta, FloeBuf *out)
{
	floe_buf_char(out, '{');
	for (int i = 0; i < meta->properties.count; i++)
	{
		const FloeMetaProperty *p = &meta->properties.items[i];

		if (i > 0)
			floe_buf_text(out, ", ");
		floe_json_quote(out, p->name, strlen(p->name));
		floe_buf_text(out, ": ");
		floe_json_quote(out, p->value, strlen(p->value));
	}
	floe_buf_char(out, '}');
	return !out->failed;
}

static void
append_refs(const FloeTableMeta *meta, FloeBuf *out)
{
	floe_buf_char(out, '[');
	for (int i = 0; i < meta->ref_count; i++)
	{
		const FloeRef *ref = &meta->refs[i];

		floe_buf_text(out, i > 0 ? ", {" : "{");
		key_text(out, "name", ref->name);
		floe_buf_printf(out, ", \"type\": \"%s\", \"snapshot_id\": %lld", ref->is_branch ? "branch" : "tag",
						(long long) ref->snapshot_id);
		if (ref->max_ref_age_ms > 0)
			floe_buf_printf(out, ", \"max_ref_age_ms\": %lld", (long long) ref->max_ref_age_ms);
		if (ref->max_snapshot_age_ms > 0)
			floe_buf_printf(out, ", \"max_snapshot_age_ms\": %lld", (long long) ref->max_snapshot_age_ms);
		if (ref->min_snapshots_to_keep > 0)
			floe_buf_printf(out, ", \"min_snapshots_to_keep\": %d", ref->min_snapshots_to_keep);
		floe_buf_char(out, '}');
	}
	floe_buf_char(out, ']');
}

static void
append_specs(const FloeTableMeta *meta, FloeBuf *out)
{
	floe_buf_char(out, '[');
	for (int i = 0; i < meta->spec_count; i++)
	{
		const FloeMetaFields *spec = &meta->specs[i];

		floe_buf_printf(out, "%s{\"spec_id\": %d, \"is_default\": %s, \"fields\": [", i > 0 ? ", " : "", spec->id,
						spec->id == meta->default_spec_id ? "true" : "false");
		for (int j = 0; j < spec->count; j++)
		{
			const FloeMetaField *field = &spec->items[j];

			floe_buf_text(out, j > 0 ? ", {" : "{");
			key_text(out, "name", field->name);
			floe_buf_text(out, ", ");
			key_text(out, "transform", field->transform);
			floe_buf_printf(out, ", \"source_id\": %d, ", field->source_id);
			key_text(out, "source_type", floe_meta_field_type(meta, field->source_id));
			floe_buf_char(out, '}');
		}
		floe_buf_text(out, "]}");
	}
	floe_buf_char(out, ']');
}

static void
append_columns(const FloeTableMeta *meta, FloeBuf *out)
{
	int n = Min(meta->column_count, MAX_COLUMNS_SHOWN);

	floe_buf_printf(out, "\"column_count\": %d, \"columns\": [", meta->column_count);
	for (int i = 0; i < n; i++)
	{
		floe_buf_printf(out, "%s{\"id\": %d, ", i > 0 ? ", " : "", meta->columns[i].id);
		key_text(out, "name", meta->columns[i].name);
		floe_buf_text(out, ", ");
		key_text(out, "type", meta->columns[i].type);
		floe_buf_char(out, '}');
	}
	floe_buf_char(out, ']');
}

/* Of the newest snapshots of operation replace: who says that he made them. */
static void
append_replace_engines(const FloeTableMeta *meta, FloeBuf *out)
{
	int shown = 0;

	for (int i = meta->snapshot_count - 1; i >= 0 && shown < MAX_REPLACES_SHOWN; i--)
	{
		const FloeSnapshot *one = &meta->snapshots[i];
		const char *engine = floe_snapshot_engine_name(one->engine);

		if (one->op == FLOE_SNAPSHOT_REPLACE && engine != NULL)
			floe_buf_printf(out, "%s\"%lld\": \"%s\"", shown++ > 0 ? ", " : "\"replace_engines\": {",
							(long long) one->id, engine);
	}
	if (shown > 0)
		floe_buf_text(out, "}, ");
}

/* docs/metrics.md, "From the table metadata" */
static bool
append_measures(const FloeAssess *a, FloeBuf *out, FloeStatus *st)
{
	const FloeTableMeta *meta = a->meta;
	FloeHistory history;
	int64 oldest = 0;

	if (!floe_history_measure(&meta->lineage, meta->current, a->arena, &history, st))
		return false;
	for (int i = 0; i < meta->snapshot_count; i++)
	{
		if (i == 0 || meta->snapshots[i].timestamp_ms < oldest)
			oldest = meta->snapshots[i].timestamp_ms;
	}
	key_int(out, "snapshot_count", true, meta->snapshot_count);
	floe_buf_text(out, ", ");
	key_int(out, "oldest_snapshot_ms", meta->snapshot_count > 0, oldest);
	floe_buf_text(out, ", ");
	key_int(out, "newest_snapshot_ms", meta->current >= 0,
			meta->current >= 0 ? meta->snapshots[meta->current].timestamp_ms : 0);
	floe_buf_text(out, ", ");
	key_int(out, "last_write_ms", history.has_last_write, history.last_write_ms);
	floe_buf_text(out, ", ");
	key_int(out, "commit_interval_ms", history.has_commit_interval, history.commit_interval_ms);
	floe_buf_text(out, ", ");
	key_int(out, "ref_count", true, meta->ref_count);
	floe_buf_text(out, ", ");
	key_int(out, "metadata_json_bytes", a->metadata_bytes >= 0, a->metadata_bytes);
	floe_buf_text(out, ", ");
	key_int(out, "metadata_log_count", true, meta->metadata_log_count);
	return true;
}

static int64
statistics_snapshot(const void *files, int i)
{
	return ((const FloeMetaStatistics *) files)[i].snapshot_id;
}

/* Of many files the last: Iceberg appends what it writes. */
static bool
append_statistics(const FloeAssess *a, const char *key, const FloeMetaStatistics *files, int count, bool applies,
				  FloeBuf *out, FloeStatus *st)
{
	FloeLag lag;

	if (!floe_lag_measure(&a->meta->lineage, a->meta->current, count, statistics_snapshot, files, a->arena, &lag, st))
		return false;
	floe_buf_printf(out, ", \"%s\": {", key);
	key_int(out, "lag", applies, lag.snapshots);
	floe_buf_text(out, ", ");
	key_int(out, "newest_ms", applies && lag.has_newest, lag.newest_ms);
	floe_buf_text(out, ", \"files\": [");
	for (int i = Max(0, count - MAX_STATISTICS_SHOWN); i < count; i++)
		floe_buf_printf(out, "%s\"%lld/%016llx\"", i > Max(0, count - MAX_STATISTICS_SHOWN) ? ", " : "",
						(long long) files[i].snapshot_id, (unsigned long long) files[i].file);
	floe_buf_text(out, "]}");
	return true;
}

/* By any of its specs, as Iceberg asks before it computes partition statistics. */
static bool
is_partitioned(const FloeTableMeta *meta)
{
	for (int i = 0; i < meta->spec_count; i++)
	{
		for (int j = 0; j < meta->specs[i].count; j++)
		{
			if (strcmp(meta->specs[i].items[j].transform, "void") != 0)
				return true;
		}
	}
	return false;
}

bool
floe_assess_facts(const FloeAssess *a, FloeBuf *out, FloeStatus *st)
{
	const FloeTableMeta *meta = a->meta;

	floe_buf_char(out, '{');
	key_text(out, "uuid", meta->table_uuid);
	floe_buf_text(out, ", ");
	key_text(out, "location", meta->location);
	floe_buf_printf(out, ", \"format_version\": %d, ", meta->format_version);
	key_text(out, "metadata_location", meta->load.metadata_location);
	floe_buf_text(out, ", ");
	key_int(out, "current_snapshot_id", meta->current >= 0, meta->current_snapshot_id);
	floe_buf_text(out, ", \"properties\": ");
	floe_assess_properties(meta, out);
	floe_buf_text(out, ", \"refs\": ");
	append_refs(meta, out);
	floe_buf_text(out, ", \"specs\": ");
	append_specs(meta, out);
	floe_buf_text(out, ", \"details\": {");
	/* the catalog's own garbage collector is the only one that may delete files */
	if (a->catalog->catalog->keeps_gc != NULL)
	{
		key_text(out, "gc_owner", a->catalog->catalog->keeps_gc);
		floe_buf_text(out, ", ");
	}
	if (!append_measures(a, out, st))
		return false;
	floe_buf_printf(out,
					", \"schema_count\": %d, \"spec_count\": %d, \"statistics_count\": %d, \"statistics_bytes\": %lld, "
					"\"partition_statistics_count\": %d, \"sort_field_count\": %d, ",
					meta->schema_count, meta->spec_count, meta->statistics_count, (long long) meta->statistics_bytes,
					meta->partition_statistics_count,
					meta->default_sort_order != NULL ? meta->default_sort_order->count : 0);
	append_replace_engines(meta, out);
	append_columns(meta, out);
	floe_buf_printf(out, ", \"is_partitioned\": %s", is_partitioned(meta) ? "true" : "false");
	if (!append_statistics(a, "table_stats", meta->statistics, meta->statistics_count, true, out, st) ||
		!append_statistics(a, "partition_stats", meta->partition_statistics, meta->partition_statistics_count,
						   is_partitioned(meta), out, st))
		return false;
	floe_buf_text(out, "}}");
	if (out->failed)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "the table's metadata is too large to be stored");
	return true;
}
