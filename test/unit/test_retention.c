/*
 * test_retention.c: what expire_snapshots would remove.
 *
 * Snapshots are letters, "b<a@9" is b with parent a, nine hours old.  The
 * table states what Iceberg's RemoveSnapshots does; the property test compares
 * with a slow implementation that follows its code step by step.
 */
#include "floe.h"

#include "iceberg/retention.h"

#include "tap.h"

#include <stdlib.h>

#define HOUR INT64CONST(3600000)
#define NOW (1000 * HOUR)
#define NEVER 0

typedef struct Case
{
	const char *what;
	const char *snapshots;
	const char *refs; /* name=snapshot, options after commas: tag, keep=N, age=hours, ref=hours */
	int max_age;      /* hours */
	int min_keep;
	int max_ref_age; /* hours */
	const char *removed;
	const char *dropped; /* names, each with a blank behind it */
} Case;

static const Case cases[] = {
	{"nothing in an empty table", "", "", 5, 1, NEVER, "", ""},
	{"not even its refs", "", "dev=x", 5, 1, NEVER, "", ""},
	{"one snapshot stays", "a@100", "main=a", 5, 1, NEVER, "", ""},
	{"old ancestors go", "a@30 b<a@20 c<b@10", "main=c", 5, 1, NEVER, "ab", ""},
	{"young ones stay", "a@30 b<a@4 c<b@1", "main=c", 5, 1, NEVER, "a", ""},
	{"exactly as old as allowed stays", "a@6 b<a@5 c<b@1", "main=c", 5, 1, NEVER, "a", ""},
	{"all young", "a@3 b<a@2 c<b@1", "main=c", 5, 1, NEVER, "", ""},
	{"the first two are kept", "a@30 b<a@20 c<b@10", "main=c", 5, 2, NEVER, "a", ""},
	{"more to keep than there are", "a@30 b<a@20 c<b@10", "main=c", 5, 9, NEVER, "", ""},
	{"kept by number, then by age", "a@30 b<a@4 c<b@20 d<c@10", "main=d", 5, 2, NEVER, "a", ""},
	{"the first too old ends the walk", "a@2 b<a@9 c<b@1", "main=c", 5, 1, NEVER, "ab", ""},
	{"a young one behind it is lost", "a@1 b<a@2 c<b@9 d<c@8", "main=d", 5, 1, NEVER, "abc", ""},
	{"age zero keeps only the head", "a@0 b<a@0 c<b@0", "main=c", 0, 1, NEVER, "", ""},
	{"a snapshot from the future", "a@9 b<a@-3", "main=b", 5, 1, NEVER, "a", ""},
	{"nothing to keep by number still keeps the head", "a@9 b<a@9", "main=b", 5, 0, NEVER, "a", ""},
	{"nor a negative number", "a@9 b<a@1 c<b@1", "main=c", 5, -4, NEVER, "a", ""},
	{"ancestry ends at an expired parent", "b<a@9 c<b@8", "main=c", 5, 1, NEVER, "b", ""},
	{"main's own number", "a@30 b<a@20 c<b@10", "main=c,keep=3", 5, 1, NEVER, "", ""},
	{"main's own age", "a@30 b<a@20 c<b@10", "main=c,age=20", 5, 1, NEVER, "a", ""},
	{"main's own age is shorter", "a@4 b<a@3 c<b@1", "main=c,age=2", 5, 1, NEVER, "ab", ""},
	{"main never goes by its ref age", "a@90", "main=a,ref=1", 5, 1, NEVER, "", ""},
	{"nor by the table's", "a@90", "main=a", 5, 1, 1, "", ""},
	{"a branch keeps its head", "a@90 b<a@1 x<a@80", "main=b dev=x", 5, 1, NEVER, "a", ""},
	{"a branch keeps its ancestors", "a@90 b<a@1 x<a@80", "main=b dev=x,keep=2", 5, 1, NEVER, "", ""},
	{"each branch by its own rules", "a@9 b<a@8 c<b@7 x<a@6 y<x@5", "main=c,keep=2 dev=y,age=6", 1, 1, NEVER, "a", ""},
	{"the other branch keeps what main would lose", "a@9 b<a@8 c<b@7", "main=c dev=b,keep=2", 1, 1, NEVER, "", ""},
	{"a shared ancestor beyond both", "a@9 b<a@8 c<b@1 d<b@1", "main=c dev=d", 5, 1, NEVER, "ab", ""},
	{"a tag keeps its snapshot only", "a@90 b<a@80 c<b@1", "main=c t=b,tag", 5, 1, NEVER, "a", ""},
	{"a tag on the head", "a@90 b<a@80", "main=b t=b,tag", 5, 1, NEVER, "a", ""},
	{"an old tag goes with its snapshot", "a@90 b<a@1", "main=b t=a,tag,ref=24", 5, 1, NEVER, "a", "t "},
	{"by the table's ref age", "a@90 b<a@1", "main=b t=a,tag", 5, 1, 24, "a", "t "},
	{"its own ref age is longer", "a@90 b<a@1", "main=b t=a,tag,ref=100", 5, 1, 24, "", ""},
	{"exactly as old as a ref may be", "a@24 b<a@1", "main=b t=a,tag", 5, 1, 24, "", ""},
	{"a dropped tag, a young snapshot", "a@4 b<a@3", "main=b t=a,tag,ref=1", 5, 1, NEVER, "", "t "},
	{"an old branch goes", "a@90 b<a@1 x<a@80", "main=b dev=x", 5, 1, 24, "ax", "dev "},
	{"its young ancestors become orphans and stay", "a@90 b<a@1 x<a@3 y<x@30", "main=b dev=y", 5, 1, 24, "ay", "dev "},
	{"an old branch at main's head", "a@90 b<a@80", "main=b dev=b,keep=2", 5, 1, 24, "a", "dev "},
	{"an old orphan goes", "a@90 b<a@1 s<a@6", "main=b", 5, 1, NEVER, "as", ""},
	{"a young orphan stays", "a@90 b<a@1 s<a@5", "main=b", 5, 1, NEVER, "a", ""},
	{"a young ancestor of main is no orphan", "a@1 b<a@9 c<b@8", "main=c", 5, 1, NEVER, "ab", ""},
	{"orphans know no branch's age", "b@1 s@20", "main=b,age=100", 5, 1, NEVER, "s", ""},
	{"a tagged snapshot is no orphan", "b@1 s@20 t<s@20", "main=b v=t,tag", 5, 1, NEVER, "s", ""},
	{"a tag's ancestors are orphans", "b@1 s@2 t<s@20", "main=b v=t,tag", 5, 1, NEVER, "", ""},
	{"a ref to nothing is dropped", "a@1", "main=a dev=z t=z,tag", 5, 1, NEVER, "", "dev t "},
	{"main to nothing is not", "a@9 b@1", "main=z", 5, 1, NEVER, "a", ""},
	{"a table without refs", "a@9 b<a@1", "", 5, 1, NEVER, "a", ""},
	{"two walks meet: the longer one goes on", "a@9 b<a@3 c<b@3 d<c@1 e<c@1", "main=d,age=2 dev=e,age=4", 5, 1, NEVER,
	 "a", ""},
	{"two walks meet: one by number, one by age", "a@9 b<a@3 c<b@9 d<c@1 e<c@1", "main=d,keep=2,age=2 dev=e,age=4", 5,
	 1, NEVER, "ab", ""},
	{"a parent listed behind its child", "c<b@1 b<a@9 a@20", "main=c", 5, 2, NEVER, "a", ""},
};

typedef struct Input
{
	FloeSnapshot snapshots[32];
	int count;
	FloeRef refs[8];
	char names[8][16];
	int ref_count;
	FloeRetention defaults;
} Input;

static long
number_behind(const char *text, const char *end, const char *what)
{
	const char *at = strstr(text, what);

	return at != NULL && at < end ? strtol(at + strlen(what), NULL, 10) : 0;
}

static void
read_case(const Case *c, Input *in)
{
	memset(in, 0, sizeof(*in));
	for (const char *p = c->snapshots; *p != '\0'; p += strcspn(p, " "), p += strspn(p, " "))
	{
		FloeSnapshot *snapshot = &in->snapshots[in->count++];

		snapshot->id = p[0];
		snapshot->has_parent = p[1] == '<';
		snapshot->parent_id = snapshot->has_parent ? p[2] : 0;
		snapshot->timestamp_ms = NOW - strtol(strchr(p, '@') + 1, NULL, 10) * HOUR;
	}
	for (const char *p = c->refs; *p != '\0'; p += strspn(p, " "))
	{
		const char *end = p + strcspn(p, " ");
		FloeRef *ref = &in->refs[in->ref_count];

		snprintf(in->names[in->ref_count], sizeof(in->names[0]), "%.*s", (int) strcspn(p, "="), p);
		ref->name = in->names[in->ref_count++];
		ref->snapshot_id = strchr(p, '=')[1];
		ref->is_branch = strstr(p, ",tag") == NULL || strstr(p, ",tag") > end;
		ref->min_snapshots_to_keep = (int32) number_behind(p, end, ",keep=");
		ref->max_snapshot_age_ms = number_behind(p, end, ",age=") * HOUR;
		ref->max_ref_age_ms = number_behind(p, end, ",ref=") * HOUR;
		p = end;
	}
	in->defaults.max_snapshot_age_ms = c->max_age * HOUR;
	in->defaults.min_snapshots_to_keep = c->min_keep;
	in->defaults.max_ref_age_ms = c->max_ref_age == NEVER ? PG_INT64_MAX : c->max_ref_age * HOUR;
}

static void
test_cases(FloeArena *arena)
{
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		const Case *c = &cases[i];
		Input in;
		FloeLineage lineage;
		FloeExpiry expiry;
		FloeStatus st;
		char removed[64] = "";
		char dropped[128] = "";

		read_case(c, &in);
		floe_arena_reset(arena);
		if (!floe_lineage_init(&lineage, arena, in.snapshots, in.count, &st) ||
			!floe_retention_apply(&lineage, in.refs, in.ref_count, &in.defaults, NOW, arena, &expiry, &st))
		{
			ok(false, "%s: %s", c->what, st.message);
			continue;
		}
		for (char letter = 'a'; letter <= 'z'; letter++)
		{
			for (int k = 0; k < expiry.snapshot_count; k++)
			{
				if (expiry.snapshot_ids[k] == letter)
					strncat(removed, &letter, 1);
			}
		}
		for (int k = 0; k < expiry.ref_count; k++)
			snprintf(dropped + strlen(dropped), sizeof(dropped) - strlen(dropped), "%s ", in.refs[expiry.refs[k]].name);
		is_str(removed, c->removed, "%s: %s | %s", c->what, c->snapshots, c->refs);
		is_str(dropped, c->dropped, "dropped refs");
	}
}

/* ------------------------------------------------ the same, slowly and plainly */

static int
find(const Input *in, int64 id)
{
	for (int i = 0; i < in->count; i++)
	{
		if (in->snapshots[i].id == id)
			return i;
	}
	return -1;
}

static int
parent_of(const Input *in, int at)
{
	return in->snapshots[at].has_parent ? find(in, in->snapshots[at].parent_id) : -1;
}

static void
expire_slowly(const Input *in, bool *removed, bool *dropped)
{
	bool retained[32] = {false};
	bool referenced[32] = {false};

	for (int r = 0; r < in->ref_count; r++)
	{
		const FloeRef *ref = &in->refs[r];
		int head = find(in, ref->snapshot_id);
		int64 max_ref_age = ref->max_ref_age_ms ? ref->max_ref_age_ms : in->defaults.max_ref_age_ms;
		int64 older_than =
			NOW - (ref->max_snapshot_age_ms ? ref->max_snapshot_age_ms : in->defaults.max_snapshot_age_ms);
		int keep = ref->min_snapshots_to_keep ? ref->min_snapshots_to_keep : in->defaults.min_snapshots_to_keep;
		int size = 0;

		dropped[r] =
			strcmp(ref->name, "main") != 0 && (head < 0 || NOW - in->snapshots[head].timestamp_ms > max_ref_age);
		if (dropped[r] || head < 0)
			continue;
		retained[head] = true;
		referenced[head] = true;
		if (!ref->is_branch)
			continue;
		for (int at = head; at >= 0; at = parent_of(in, at))
			referenced[at] = true;
		for (int at = head; at >= 0 && (size < keep || in->snapshots[at].timestamp_ms >= older_than);
			 at = parent_of(in, at))
		{
			retained[at] = true;
			size++;
		}
	}
	for (int i = 0; i < in->count; i++)
	{
		bool young = in->snapshots[i].timestamp_ms >= NOW - in->defaults.max_snapshot_age_ms;

		removed[i] = !retained[i] && !(young && !referenced[i]);
	}
}

static uint32 seed = 20260101;

static int
roll(int sides)
{
	seed = seed * 1664525 + 1013904223;
	return (int) ((seed >> 8) % (uint32) sides);
}

static void
random_input(Input *in)
{
	static const char *const names[] = {"main", "dev", "t1", "t2", "audit"};

	memset(in, 0, sizeof(*in));
	in->count = 1 + roll(14);
	for (int i = 0; i < in->count; i++)
	{
		FloeSnapshot *snapshot = &in->snapshots[i];

		snapshot->id = i + 1;
		snapshot->has_parent = i > 0 && roll(8) > 0;
		/* mostly a chain, sometimes a fork, sometimes an expired parent */
		snapshot->parent_id = roll(3) > 0 ? i : roll(10) > 0 ? 1 + roll(Max(i, 1)) : 99;
		snapshot->timestamp_ms = NOW - (roll(4) > 0 ? in->count - i : roll(16)) * HOUR;
	}
	in->ref_count = roll(6);
	for (int i = 0; i < in->ref_count; i++)
	{
		FloeRef *ref = &in->refs[i];

		ref->name = names[i];
		ref->snapshot_id = roll(12) > 0 ? 1 + roll(in->count) : 77;
		ref->is_branch = i < 2 || roll(2) == 0;
		ref->min_snapshots_to_keep = ref->is_branch && roll(2) == 0 ? 1 + roll(8) : 0;
		ref->max_snapshot_age_ms = ref->is_branch && roll(2) == 0 ? (1 + roll(14)) * HOUR : 0;
		ref->max_ref_age_ms = roll(3) == 0 ? (1 + roll(14)) * HOUR : 0;
	}
	in->defaults.max_snapshot_age_ms = roll(15) * HOUR;
	in->defaults.min_snapshots_to_keep = roll(6);
	in->defaults.max_ref_age_ms = roll(2) == 0 ? PG_INT64_MAX : roll(15) * HOUR;
}

static bool
agrees(const Input *in, FloeArena *arena, int *removals)
{
	bool removed[32];
	bool dropped[8];
	FloeLineage lineage;
	FloeExpiry expiry;
	FloeStatus st;
	int next = 0;
	int next_ref = 0;

	floe_arena_reset(arena);
	if (!floe_lineage_init(&lineage, arena, in->snapshots, in->count, &st) ||
		!floe_retention_apply(&lineage, in->refs, in->ref_count, &in->defaults, NOW, arena, &expiry, &st))
		return false;
	expire_slowly(in, removed, dropped);
	for (int i = 0; i < in->count; i++)
	{
		bool found = next < expiry.snapshot_count && expiry.snapshot_ids[next] == in->snapshots[i].id;

		if (found != removed[i])
			return false;
		next += found;
		if (found &&
			(in->snapshots[i].timestamp_ms < expiry.oldest_ms || in->snapshots[i].timestamp_ms > expiry.newest_ms))
			return false;
	}
	for (int i = 0; i < in->ref_count; i++)
	{
		bool found = next_ref < expiry.ref_count && expiry.refs[next_ref] == i;

		if (found != dropped[i])
			return false;
		next_ref += found;
	}
	*removals += expiry.snapshot_count;
	return true;
}

static void
test_property(FloeArena *arena)
{
	int wrong = 0;
	int removals = 0;

	for (int i = 0; i < 100000; i++)
	{
		Input in;

		random_input(&in);
		if (!agrees(&in, arena, &removals))
			wrong++;
	}
	is_int(wrong, 0, "the same as the slow implementation on 100000 tables");
	ok(removals > 100000, "which is not nothing: %d removals", removals);
}

/* Extremes of the numbers, a circle of parents, and a long chain with many branches in reasonable time. */
static void
test_hostile(void)
{
	enum
	{
		MANY = 200000,
		BRANCHES = 5000
	};
	FloeArena *arena = floe_arena_new(SIZE_MAX);
	FloeSnapshot *many = calloc(MANY, sizeof(FloeSnapshot));
	FloeRef *refs = calloc(BRANCHES, sizeof(FloeRef));
	FloeRetention defaults = {PG_INT64_MAX, PG_INT64_MAX, 1};
	FloeLineage lineage;
	FloeExpiry expiry;
	FloeStatus st;

	for (int i = 0; i < MANY; i++)
	{
		many[i].id = (int64) i * 7919 + 1;
		many[i].has_parent = true;
		many[i].parent_id = (int64) (i - 1) * 7919 + 1;
		many[i].timestamp_ms = i;
	}
	for (int i = 0; i < BRANCHES; i++)
	{
		refs[i].name = i == 0 ? "main" : "b";
		refs[i].is_branch = true;
		refs[i].snapshot_id = many[MANY - 1 - i].id;
		refs[i].min_snapshots_to_keep = i == 0 ? 0 : PG_INT32_MAX - i;
	}
	ok(floe_lineage_init(&lineage, arena, many, MANY, &st) &&
		   floe_retention_apply(&lineage, refs, BRANCHES, &defaults, NOW, arena, &expiry, &st),
	   "many branches on a long chain");
	is_int(expiry.snapshot_count, 0, "all is kept");
	defaults.max_snapshot_age_ms = PG_INT64_MIN;
	ok(floe_retention_apply(&lineage, refs, 1, &defaults, PG_INT64_MAX, arena, &expiry, &st), "extreme numbers");
	is_int(expiry.snapshot_count, MANY - 1, "only the head stays");
	is_int(expiry.oldest_ms, 0, "oldest");
	is_int(expiry.newest_ms, MANY - 2, "newest");

	many[0].parent_id = many[MANY - 1].id;
	ok(floe_lineage_init(&lineage, arena, many, MANY, &st) && lineage.cycle >= 0, "a circle is noticed");
	ok(floe_retention_apply(&lineage, refs, BRANCHES, &floe_retention_default, NOW, arena, &expiry, &st),
	   "and does not catch the walk");
	floe_arena_free(arena);

	arena = floe_arena_new(100000);
	ok(!floe_lineage_init(&lineage, arena, many, MANY, &st) && st.code == FLOE_ERR_TOO_LARGE, "no memory left");
	floe_arena_free(arena);
	free(many);
	free(refs);
}

/* Five snapshots in a row, of which the first three expire: what the second to the fourth took out, as far as they say so. */
static void
test_freed(FloeArena *arena)
{
	static const int64 removed[] = {700, 10, 20, 40, 80};
	FloeSnapshot chain[5] = {0};
	FloeRef main_branch = {.name = "main", .is_branch = true, .snapshot_id = 5};
	FloeRetention defaults = {1000, PG_INT64_MAX, 1};
	FloeLineage lineage;
	FloeExpiry expiry;
	FloeStatus st;

	floe_arena_reset(arena);
	for (int i = 0; i < 5; i++)
	{
		int64 values[FLOE_COUNTER_COUNT] = {0};

		chain[i].id = i + 1;
		chain[i].has_parent = i > 0;
		chain[i].parent_id = i;
		chain[i].timestamp_ms = NOW - 500 * (9 - 2 * i);
		values[FLOE_COUNTER_DELETED_DATA_FILES] = removed[i] / 10;
		values[FLOE_COUNTER_REMOVED_FILES_SIZE] = i == 3 ? PG_INT64_MAX : removed[i];
		ok(floe_snapshot_set_counters(
			   &chain[i], (i == 1 ? 0 : 1u << FLOE_COUNTER_DELETED_DATA_FILES) | 1u << FLOE_COUNTER_REMOVED_FILES_SIZE,
			   values, arena),
		   "counters of snapshot %d", i + 1);
	}
	ok(floe_lineage_init(&lineage, arena, chain, 5, &st) &&
		   floe_retention_apply(&lineage, &main_branch, 1, &defaults, NOW, arena, &expiry, &st),
	   "retention of five");
	is_int(expiry.snapshot_count, 4, "four of them expire");
	is_int(expiry.freed_files, 2 + 4 + 8, "files that their children took out, but for the one that does not say");
	ok(expiry.freed_bytes == PG_INT64_MAX, "bytes beyond 64 bits stay at the most there is");
	defaults.max_snapshot_age_ms = 2000;
	ok(floe_retention_apply(&lineage, &main_branch, 1, &defaults, NOW, arena, &expiry, &st), "a longer retention");
	is_int(expiry.snapshot_count, 3, "three");
	is_int(expiry.freed_files, 2 + 4, "and less is freed");
	defaults.max_snapshot_age_ms = 100000;
	ok(floe_retention_apply(&lineage, &main_branch, 1, &defaults, NOW, arena, &expiry, &st), "all is kept");
	is_int(expiry.freed_bytes, 0, "nothing is freed");
}

int
main(void)
{
	FloeArena *arena = floe_arena_new(1000000);

	test_cases(arena);
	test_property(arena);
	test_hostile();
	test_freed(arena);
	floe_arena_free(arena);
	return tap_done();
}
