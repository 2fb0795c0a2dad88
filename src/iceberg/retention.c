/*
 * retention.c: the dry run of expire_snapshots.
 *
 * A branch keeps its head and walks back: the first min-snapshots-to-keep
 * ancestors, then further ones as long as each is young enough.  Walking each
 * branch by itself would cost branches times snapshots, both chosen from
 * outside, so the walks of all branches are carried through the ancestry
 * together, children first.  Two numbers per snapshot are enough:
 *
 *   floor   the lowest depth below which no branch keeps unconditionally; the
 *           lowest floor covers all others
 *   cutoff  of the walks that are past that and still going, the oldest time
 *           they keep; a walk with an earlier cutoff outlives every other
 */
#include "floe.h"

#include "iceberg/retention.h"

#include <string.h>

const FloeRetention floe_retention_default = {
	.max_snapshot_age_ms = INT64CONST(5) * 24 * 60 * 60 * 1000,
	.max_ref_age_ms = PG_INT64_MAX,
	.min_snapshots_to_keep = 1,
};

#define NO_FLOOR PG_INT64_MAX

typedef struct Node
{
	int64 floor;
	int64 cutoff;
	int depth;       /* ancestors in the list */
	int jump;        /* an ancestor further up, see ancestor_at() */
	bool has_cutoff; /* a walk that depends on age arrives here */
	bool kept;
	bool reached; /* a ref that stays leads here: it is no orphan of rollbacks or staged writes */
} Node;

static int64
minus(int64 a, int64 b)
{
	int64 result;

	if (!__builtin_sub_overflow(a, b, &result))
		return result;
	return b > 0 ? PG_INT64_MIN : PG_INT64_MAX;
}

/*
 * Depths, and for each snapshot one ancestor to jump to, chosen so that any
 * ancestor is found in logarithmic time (Myers, "An applicative random-access
 * stack", 1983).
 */
static void
prepare(const FloeLineage *lineage, Node *nodes)
{
	for (int i = 0; i < lineage->count; i++)
	{
		int at = lineage->order[i];
		int parent = lineage->parent[at];
		Node *node = &nodes[at];

		node->floor = NO_FLOOR;
		if (parent < 0)
		{
			node->jump = at;
			continue;
		}
		node->depth = nodes[parent].depth + 1;
		node->jump = parent;
		if (nodes[parent].depth - nodes[nodes[parent].jump].depth ==
			nodes[nodes[parent].jump].depth - nodes[nodes[nodes[parent].jump].jump].depth)
			node->jump = nodes[nodes[parent].jump].jump;
	}
}

static int
ancestor_at(const FloeLineage *lineage, const Node *nodes, int at, int64 depth)
{
	while (nodes[at].depth > depth)
		at = nodes[nodes[at].jump].depth >= depth ? nodes[at].jump : lineage->parent[at];
	return at;
}

static void
add_cutoff(Node *node, int64 cutoff)
{
	node->cutoff = node->has_cutoff ? Min(node->cutoff, cutoff) : cutoff;
	node->has_cutoff = true;
}

/* Starts the walk of a branch at its head. */
static void
start_branch(const FloeLineage *lineage, Node *nodes, int head, const FloeRef *ref, const FloeRetention *defaults,
			 int64 now_ms)
{
	int64 max_age = ref->max_snapshot_age_ms > 0 ? ref->max_snapshot_age_ms : defaults->max_snapshot_age_ms;
	int64 min_keep = ref->min_snapshots_to_keep > 0 ? ref->min_snapshots_to_keep : defaults->min_snapshots_to_keep;
	int64 floor = nodes[head].depth - Max(min_keep, 0);

	nodes[head].floor = Min(nodes[head].floor, floor);
	if (floor >= 0)
		add_cutoff(&nodes[ancestor_at(lineage, nodes, head, floor)], minus(now_ms, max_age));
}

static bool
ref_stays(const FloeLineage *lineage, const FloeRef *ref, int head, const FloeRetention *defaults, int64 now_ms)
{
	int64 max_age = ref->max_ref_age_ms > 0 ? ref->max_ref_age_ms : defaults->max_ref_age_ms;

	if (strcmp(ref->name, FLOE_MAIN_BRANCH) == 0)
		return true;
	return head >= 0 && minus(now_ms, lineage->snapshots[head].timestamp_ms) <= max_age;
}

/* Carries the walks from children to parents. */
static void
walk_all(const FloeLineage *lineage, Node *nodes)
{
	for (int i = lineage->count - 1; i >= 0; i--)
	{
		int at = lineage->order[i];
		Node *node = &nodes[at];
		Node *parent = lineage->parent[at] >= 0 ? &nodes[lineage->parent[at]] : NULL;
		bool unconditional = node->depth > node->floor;
		bool young = node->has_cutoff && lineage->snapshots[at].timestamp_ms >= node->cutoff;

		node->kept |= unconditional || young;
		if (parent == NULL)
			continue;
		if (unconditional)
			parent->floor = Min(parent->floor, node->floor);
		if (young)
			add_cutoff(parent, node->cutoff);
		parent->reached |= node->reached;
	}
}

static void
add_freed(const FloeLineage *lineage, const bool *expires, FloeExpiry *expiry)
{
	for (int i = 0; i < lineage->count; i++)
	{
		const FloeSnapshot *child = &lineage->snapshots[i];
		int parent = lineage->parent[i];
		int64 value;

		if (parent < 0 || !expires[parent])
			continue;
		if (floe_snapshot_counter(child, FLOE_COUNTER_DELETED_DATA_FILES, &value) &&
			__builtin_add_overflow(expiry->freed_files, value, &expiry->freed_files))
			expiry->freed_files = PG_INT64_MAX;
		if (floe_snapshot_counter(child, FLOE_COUNTER_REMOVED_FILES_SIZE, &value) &&
			__builtin_add_overflow(expiry->freed_bytes, value, &expiry->freed_bytes))
			expiry->freed_bytes = PG_INT64_MAX;
	}
}

bool
floe_retention_apply(const FloeLineage *lineage, const FloeRef *refs, int ref_count, const FloeRetention *defaults,
					 int64 now_ms, FloeArena *arena, FloeExpiry *expiry, FloeStatus *st)
{
	size_t n = (size_t) lineage->count;
	Node *nodes = floe_arena_alloc0(arena, n * sizeof(Node));
	bool *tagged = floe_arena_alloc0(arena, n * sizeof(bool));
	bool *expires = floe_arena_alloc0(arena, n * sizeof(bool));
	int64 cutoff = minus(now_ms, defaults->max_snapshot_age_ms);

	memset(expiry, 0, sizeof(*expiry));
	expiry->snapshot_ids = floe_arena_alloc(arena, n * sizeof(int64));
	expiry->refs = floe_arena_alloc(arena, (size_t) ref_count * sizeof(int));
	if (nodes == NULL || tagged == NULL || expires == NULL || expiry->snapshot_ids == NULL || expiry->refs == NULL)
		return floe_fail(st, FLOE_ERR_TOO_LARGE, "no memory left for the retention of %d snapshots", lineage->count);
	if (n == 0)
		return true;

	prepare(lineage, nodes);
	for (int i = 0; i < ref_count; i++)
	{
		int head = floe_lineage_find(lineage, refs[i].snapshot_id);

		if (!ref_stays(lineage, &refs[i], head, defaults, now_ms))
		{
			expiry->refs[expiry->ref_count++] = i;
			continue;
		}
		if (head < 0)
			continue;
		nodes[head].kept = true;
		if (refs[i].is_branch)
		{
			nodes[head].reached = true;
			start_branch(lineage, nodes, head, &refs[i], defaults, now_ms);
		}
		else
			tagged[head] = true;
	}
	walk_all(lineage, nodes);

	for (int i = 0; i < lineage->count; i++)
	{
		int64 timestamp = lineage->snapshots[i].timestamp_ms;
		bool orphan = !nodes[i].reached && !tagged[i];

		if (nodes[i].kept || (orphan && timestamp >= cutoff))
			continue;
		if (expiry->snapshot_count == 0)
			expiry->oldest_ms = expiry->newest_ms = timestamp;
		expiry->oldest_ms = Min(expiry->oldest_ms, timestamp);
		expiry->newest_ms = Max(expiry->newest_ms, timestamp);
		expiry->snapshot_ids[expiry->snapshot_count++] = lineage->snapshots[i].id;
		expires[i] = true;
	}
	if (expiry->snapshot_count > 0)
		add_freed(lineage, expires, expiry);
	return true;
}
