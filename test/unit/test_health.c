/*
 * test_health.c: aggregates and their merge, against counting every file of random tables.
 */
#include "floe.h"

#include "base/hash.h"
#include "iceberg/health.h"

#include <stdlib.h>

#include "tap.h"

#define MAX_FILES 2000
#define MAX_MANIFESTS 12
#define NPARTITIONS 5
#define NSPECS 2

/* One live file of a random table. */
typedef struct File
{
	int manifest;
	FloeFileKind kind;
	int partition;
	int64_t bytes, rows, sequence, file_sequence, snapshot, stat_columns;
	int path; /* number of the path; of a delete the one it is limited to, or -1 */
} File;

typedef struct Manifest
{
	FloeManifestContent content;
	int32_t spec;
	int64_t length, deleted;
	FloeBuf blob;
} Manifest;

typedef struct Table
{
	File files[MAX_FILES];
	int nfiles;
	Manifest manifests[MAX_MANIFESTS];
	int nmanifests;
} Table;

static uint64_t seed;

static int64_t
pick(int64_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (int64_t) ((seed >> 33) % (uint64_t) below);
}

static const char *
partition_text(int partition, char *out)
{
	sprintf(out, "{\"day\": \"2026-01-%02d\"}", partition + 1);
	return out;
}

static void
make_file(Table *t, int manifest, int distinct_sizes)
{
	Manifest *m = &t->manifests[manifest];
	File *f = &t->files[t->nfiles++];

	memset(f, 0, sizeof(*f));
	f->manifest = manifest;
	f->partition = (int) pick(NPARTITIONS);
	f->bytes = pick(4) == 0 ? pick(20) : pick(distinct_sizes) * 997 + (pick(3) == 0 ? 1000000 : 0);
	f->rows = pick(1000);
	f->sequence = pick(20);
	f->file_sequence = f->sequence + pick(3);
	f->snapshot = 7000 + f->file_sequence;
	/* now and then a path that is live twice */
	f->path = pick(10) == 0 ? (int) pick(t->nfiles) : t->nfiles;
	if (m->content == FLOE_MANIFEST_DATA)
	{
		f->stat_columns = pick(10);
		return;
	}
	f->kind = (FloeFileKind) (1 + pick(3));
	f->path = f->kind == FLOE_FILE_EQUALITY_DELETES || (f->kind == FLOE_FILE_POSITION_DELETES && pick(2) == 0)
				  ? -1
				  : (int) pick(t->nfiles + 20);
}

/* The second spec is unpartitioned. */
static void
make_table(Table *t, int files, int distinct_sizes)
{
	t->nfiles = 0;
	t->nmanifests = (int) pick(MAX_MANIFESTS - 2) + 2;
	for (int i = 0; i < t->nmanifests; i++)
	{
		t->manifests[i].content = i < t->nmanifests / 2 && pick(2) == 0 ? FLOE_MANIFEST_DELETES : FLOE_MANIFEST_DATA;
		t->manifests[i].spec = (int32_t) pick(NSPECS);
		t->manifests[i].length = 1000 + pick(5000);
		t->manifests[i].deleted = pick(5);
	}
	while (t->nfiles < files)
		make_file(t, (int) pick(t->nmanifests), distinct_sizes);
	for (int i = 0; i < t->nfiles; i++)
		if (t->manifests[t->files[i].manifest].spec == 1)
			t->files[i].partition = 0;
}

static bool
build_blobs(Table *t, const FloeAggOptions *options)
{
	bool good = true;

	for (int i = 0; i < t->nmanifests; i++)
	{
		Manifest *m = &t->manifests[i];
		FloeArena *arena = floe_arena_new(8 * 1024 * 1024);
		FloeAggBuilder *b = floe_agg_builder_new(arena, options, m->content, m->spec, m->spec == 1);
		FloeStatus st;
		char path[32], text[64];
		uint32_t unused;

		/* a partition of deleted entries only does not appear */
		good &= floe_agg_partition(b, "{\"day\": null}", 13, &unused, &st);
		for (int f = 0; f < t->nfiles; f++)
		{
			const File *file = &t->files[f];
			FloeAggEntry e = {.kind = file->kind,
							  .bytes = file->bytes,
							  .rows = file->rows,
							  .sequence_number = file->sequence,
							  .file_sequence_number = file->file_sequence,
							  .snapshot_id = file->snapshot,
							  .stat_columns = file->stat_columns};

			if (file->manifest != i)
				continue;
			partition_text(file->partition, text);
			sprintf(path, "s3://bucket/%d", file->path);
			e.path = file->path >= 0 ? path : NULL;
			e.path_len = strlen(path);
			good &= floe_agg_partition(b, text, strlen(text), &e.partition, &st) && floe_agg_add(b, &e, &st);
		}
		floe_buf_init(&m->blob, 1024 * 1024);
		good &= floe_agg_finish(b, 1, 2, m->deleted, &m->blob, &st);
		floe_agg_builder_free(b);
		floe_arena_free(arena);
	}
	return good;
}

static void
free_blobs(Table *t)
{
	for (int i = 0; i < t->nmanifests; i++)
		floe_buf_free(&t->manifests[i].blob);
}

static FloeHealth *
merge(const Table *t, FloeArena *arena, const FloeHealthOptions *options, FloeHealthTotals *totals, FloeStatus *st)
{
	FloeHealth *h = floe_health_new(arena, options, st);

	for (int content = FLOE_MANIFEST_DELETES; content >= FLOE_MANIFEST_DATA; content--)
	{
		for (int i = 0; i < t->nmanifests; i++)
		{
			const Manifest *m = &t->manifests[i];

			if ((int) m->content == content &&
				!floe_health_add(h, m->content, m->spec, m->length, m->blob.data, m->blob.len, st))
				return NULL;
		}
	}
	return floe_health_finish(h, totals, st) ? h : NULL;
}

/* ---- counting by hand ---- */

static bool
dangles(const Table *t, const File *d)
{
	int spec = t->manifests[d->manifest].spec;

	for (int i = 0; i < t->nfiles; i++)
	{
		const File *f = &t->files[i];
		bool same = t->manifests[f->manifest].spec == spec && f->partition == d->partition;

		if (f->kind != FLOE_FILE_DATA)
			continue;
		if (d->kind == FLOE_FILE_EQUALITY_DELETES ? (same || spec == 1) && f->sequence < d->sequence
			: d->path >= 0                        ? f->path == d->path && f->sequence <= d->sequence
												  : same && f->sequence <= d->sequence)
			return false;
	}
	return true;
}

/* A delete is limited to its path, and no delete before it in that partition is. */
static bool
names_first(const Table *t, int d)
{
	const File *file = &t->files[d];
	bool first = file->path >= 0;

	for (int i = 0; first && i < d; i++)
		first = t->files[i].kind == FLOE_FILE_DATA || t->files[i].path != file->path ||
				t->files[i].partition != file->partition ||
				t->manifests[t->files[i].manifest].spec != t->manifests[file->manifest].spec;
	return first;
}

static FloeHealthPartition
count_by_hand(const Table *t, int spec, int partition, const FloeHealthOptions *o)
{
	FloeHealthPartition p = {.min_sequence_number = INT64_MAX};
	bool seen[MAX_MANIFESTS] = {false};
	int64_t named = 0;

	for (int i = 0; i < t->nfiles; i++)
	{
		const File *f = &t->files[i];
		FloeHealthDeletes *kinds[] = {NULL, &p.position_deletes, &p.equality_deletes, &p.deletion_vectors};

		if (t->manifests[f->manifest].spec != spec || f->partition != partition)
			continue;
		if (f->kind != FLOE_FILE_DATA)
		{
			kinds[f->kind]->files++;
			kinds[f->kind]->rows += f->rows;
			p.delete_row_count += f->rows;
			p.delete_bytes += f->bytes;
			p.dangling_delete_count += dangles(t, f);
			named += names_first(t, i);
			continue;
		}
		p.data_file_count++;
		p.data_bytes += f->bytes;
		p.record_count += f->rows;
		p.small_file_count += f->bytes < o->bounds.small_file_below;
		p.small_file_bytes += f->bytes < o->bounds.small_file_below ? f->bytes : 0;
		p.oversized_file_count += f->bytes > o->bounds.oversized_above;
		p.oversized_file_bytes += f->bytes > o->bounds.oversized_above ? f->bytes : 0;
		p.manifest_count += !seen[f->manifest];
		seen[f->manifest] = true;
		p.min_sequence_number = Min(p.min_sequence_number, f->sequence);
		p.max_sequence_number = Max(p.max_sequence_number, f->sequence);
	}
	named = o->deletes_per_file ? Max(1, named - p.deletion_vectors.files) : 1;
	p.excess_delete_file_count = Max(0, p.position_deletes.files - named);
	return p;
}

/* The newest snapshots of a partition, as long as no two files of one snapshot differ in sequence number. */
static bool
snapshots_match(const Table *t, int spec, int partition, const FloeSnapshotSet *set)
{
	uint32_t at = 0;

	for (int64_t sequence = 30; sequence >= 0 && at < FLOE_AGG_SNAPSHOTS; sequence--)
	{
		bool found = false;

		for (int i = 0; i < t->nfiles; i++)
			found |= t->manifests[t->files[i].manifest].spec == spec && t->files[i].partition == partition &&
					 t->files[i].kind == FLOE_FILE_DATA && t->files[i].file_sequence == sequence;
		if (found && (at >= set->count || set->refs[at].snapshot_id != 7000 + sequence ||
					  set->refs[at].sequence_number != sequence))
			return false;
		at += found;
	}
	return at == set->count;
}

/* Counters in the order of the struct from data_file_count on, as far as they are whole numbers and exact. */
static bool
same_counts(const FloeHealthPartition *a, const FloeHealthPartition *b, bool sizes)
{
	return a->data_file_count == b->data_file_count && a->data_bytes == b->data_bytes &&
		   a->record_count == b->record_count &&
		   (!sizes || (a->small_file_count == b->small_file_count && a->small_file_bytes == b->small_file_bytes &&
					   a->oversized_file_count == b->oversized_file_count &&
					   a->oversized_file_bytes == b->oversized_file_bytes)) &&
		   memcmp(&a->position_deletes, &b->position_deletes, sizeof(a->position_deletes)) == 0 &&
		   memcmp(&a->equality_deletes, &b->equality_deletes, sizeof(a->equality_deletes)) == 0 &&
		   memcmp(&a->deletion_vectors, &b->deletion_vectors, sizeof(a->deletion_vectors)) == 0 &&
		   a->delete_row_count == b->delete_row_count && a->delete_bytes == b->delete_bytes &&
		   a->dangling_delete_count == b->dangling_delete_count &&
		   a->excess_delete_file_count == b->excess_delete_file_count && a->manifest_count == b->manifest_count &&
		   (a->data_file_count == 0 ||
			(a->min_sequence_number == b->min_sequence_number && a->max_sequence_number == b->max_sequence_number));
}

/* An interpolated count cannot be further off than what is possible. */
static bool
plausible(const FloeHealthPartition *got)
{
	return got->small_file_count >= 0 && got->small_file_count <= got->data_file_count && got->small_file_bytes >= 0 &&
		   got->small_file_bytes <= got->data_bytes && got->oversized_file_count >= 0 &&
		   got->oversized_file_count <= got->data_file_count && got->oversized_file_bytes >= 0 &&
		   got->oversized_file_bytes <= got->data_bytes;
}

/* Iceberg: enough input files, or enough content and more than one. */
static bool
rewrites_small(const FloeHealthPartition *p, const FloeHealthOptions *o)
{
	return p->small_file_count >= o->min_input_files ||
		   (p->small_file_count > 1 && p->small_file_bytes > o->target_file_bytes);
}

static int
distinct_sizes(const Table *t, int manifest, int partition)
{
	int distinct = 0;

	for (int i = 0; i < t->nfiles; i++)
	{
		bool first = t->files[i].manifest == manifest && t->files[i].partition == partition;

		for (int j = 0; first && j < i; j++)
			first = t->files[j].manifest != manifest || t->files[j].partition != partition ||
					t->files[j].bytes != t->files[i].bytes;
		distinct += first;
	}
	return distinct;
}

/* What went wrong with one table; the first thing. */
static const char *
compare(const Table *t, const FloeHealthOptions *o, bool same_bounds, int *inexact)
{
	FloeArena *arena = floe_arena_new(16 * 1024 * 1024);
	const char *wrong = NULL;
	FloeHealthTotals totals;
	FloeStatus st;
	FloeHealth *h = merge(t, arena, o, &totals, &st);
	int64_t excess = 0, excess_deletes = 0, dangling = 0, rewritten = 0, bytes = 0;
	bool few = true;

	if (h == NULL)
		wrong = "merge failed";
	for (int m = 0; m < t->nmanifests; m++)
		for (int p = 0; p < NPARTITIONS; p++)
			few &= distinct_sizes(t, m, p) <= FLOE_AGG_EXACT_SIZES;
	for (uint32_t i = 0; wrong == NULL && i < totals.partition_rows; i++)
	{
		const FloeHealthPartition *got = floe_health_partition(h, i);
		int partition = atoi(got->partition + strlen("{\"day\": \"2026-01-")) - 1;
		FloeHealthPartition want = count_by_hand(t, got->spec_id, partition, o);

		if (!same_counts(got, &want, !got->inexact))
			wrong = "counts of a partition";
		else if (got->inexact && (same_bounds || few))
			wrong = "inexact without need";
		else if (!plausible(got))
			wrong = "an impossible estimate";
		/* all small files or none, and each that is too large */
		else if (got->rewrite_file_count !=
					 got->oversized_file_count + (rewrites_small(got, o) ? got->small_file_count : 0) ||
				 got->rewrite_bytes != got->oversized_file_bytes + (rewrites_small(got, o) ? got->small_file_bytes : 0))
			wrong = "what a rewrite would read";
		else if (!snapshots_match(t, got->spec_id, partition, &got->snapshots))
			wrong = "snapshots";
		*inexact += got->inexact;
		excess += got->excess_file_count;
		rewritten += got->rewrite_file_count;
		bytes += got->rewrite_bytes;
		dangling += want.dangling_delete_count;
		excess_deletes += want.excess_delete_file_count;
	}
	if (wrong == NULL && (totals.excess_file_count != excess || totals.dangling_delete_count != dangling ||
						  totals.excess_delete_file_count != excess_deletes || totals.rewrite_file_count != rewritten ||
						  totals.rewrite_bytes != bytes))
		wrong = "totals";
	if (wrong == NULL && (totals.needs_paths || totals.manifest_count != t->nmanifests))
		wrong = "manifests";
	floe_arena_free(arena);
	return wrong;
}

static void
test_random_tables(void)
{
	static Table t;
	int inexact = 0, tables = 0;

	for (seed = 1; tables < 150; tables++)
	{
		FloeAggOptions agg = {.bounds = {pick(1500000), 0}, .keep_paths = true};
		FloeHealthOptions o = {
			.target_file_bytes = 1 + pick(1000000), .min_input_files = 5, .target_manifest_bytes = 4000};
		const char *wrong;

		agg.bounds.oversized_above = agg.bounds.small_file_below + pick(500000);
		o.deletes_per_file = tables % 4 != 0;
		make_table(&t, 50 + (int) pick(600), tables % 3 == 0 ? 5 : 1000);
		if (!build_blobs(&t, &agg))
			ok(false, "table %d cannot be built", tables);
		o.bounds = agg.bounds;
		wrong = compare(&t, &o, true, &inexact);
		if (wrong != NULL)
			ok(false, "table %d, thresholds in force: %s", tables, wrong);
		for (int i = 0; wrong == NULL && i < 4; i++)
		{
			o.bounds.small_file_below = i == 0 ? 0 : pick(1800000);
			o.bounds.oversized_above = i == 0 ? INT64_MAX : pick(2000000);
			wrong = compare(&t, &o, false, &inexact);
			if (wrong != NULL)
				ok(false, "table %d, thresholds %lld and %lld: %s", tables, (long long) o.bounds.small_file_below,
				   (long long) o.bounds.oversized_above, wrong);
		}
		free_blobs(&t);
	}
	is_int(tables, 150, "random tables were compared");
	ok(inexact > 20, "some counts had to be estimated (%d)", inexact);
}

/* ---- damaged blobs ---- */

static bool
opens_and_merges(const void *blob, size_t len, const Manifest *m, FloeStatus *st)
{
	FloeHealthOptions o = {
		.target_file_bytes = 100, .bounds = {75, 180}, .min_input_files = 5, .target_manifest_bytes = 1};
	FloeArena *arena = floe_arena_new(64 * 1024 * 1024);
	FloeHealth *h = floe_health_new(arena, &o, st);
	char *copy = malloc(len > 0 ? len : 1);
	FloeHealthTotals totals;
	bool done;

	memcpy(copy, blob, len);
	done = floe_health_add(h, m->content, m->spec, m->length, copy, len, st) && floe_health_finish(h, &totals, st);
	free(copy);
	floe_arena_free(arena);
	return done;
}

static void
test_damaged_blobs(void)
{
	static Table t;
	FloeAggOptions agg = {.bounds = {500000, 900000}, .keep_paths = true};
	FloeStatus st;
	int cuts_accepted = 0, wrong_code = 0, flips = 0;

	seed = 99;
	make_table(&t, 400, 1000);
	build_blobs(&t, &agg);
	for (int i = 0; i < t.nmanifests; i++)
	{
		Manifest *m = &t.manifests[i];

		for (size_t cut = 0; cut < m->blob.len; cut++)
		{
			if (opens_and_merges(m->blob.data, cut, m, &st))
				cuts_accepted++;
			else
				wrong_code += st.code != FLOE_ERR_CORRUPT;
		}
		for (size_t at = 0; at < m->blob.len; at++)
		{
			m->blob.data[at] ^= (char) (1 + pick(255));
			flips += opens_and_merges(m->blob.data, m->blob.len, m, &st);
		}
	}
	is_int(cuts_accepted, 0, "no cut blob is accepted");
	is_int(wrong_code, 0, "every cut blob is corrupt");
	ok(flips >= 0, "changed bytes do no harm (%d still make sense)", flips);
	free_blobs(&t);
}

int
main(void)
{
	test_random_tables();
	test_damaged_blobs();
	return tap_done();
}
