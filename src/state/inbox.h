/*
 * inbox.h: the database side of listing and assessing, one function per SQL function of 75 and 76.
 *
 * Each must stand between floe_db_begin() and floe_db_end().  Results are
 * copied into CurrentMemoryContext.
 */
#ifndef FLOE_STATE_INBOX_H
#define FLOE_STATE_INBOX_H

#include "base/status.h"
#include "state/db.h"

extern bool floe_inbox_begin_pass(const char *kind, int32 *pass_id, FloeStatus *st);
extern bool floe_inbox_end_pass(int32 pass_id, FloeStatus *st);

typedef struct FloeCatalogClaim
{
	int32 catalog_id;
	char *server_name;
	bool is_due;
} FloeCatalogClaim;

extern bool floe_inbox_claim_catalogs(int32 pass_id, const char *pattern, FloeCatalogClaim **claims, int *n,
									  FloeStatus *st);
extern bool floe_inbox_catalog_id(const char *server_name, int32 *catalog_id, FloeStatus *st);
/* probe: its tables could not be reached, and the first one tells whether they can now */
extern bool floe_inbox_catalog_connected(int32 catalog_id, const char *config_json, bool *probe, FloeStatus *st);
/* by_tables: it answers itself, but not for its tables */
extern bool floe_inbox_catalog_failed(int32 pass_id, int32 catalog_id, const FloeStatus *failure, bool by_tables,
									  FloeStatus *st);
extern bool floe_inbox_catalog_well(int32 catalog_id, FloeStatus *st);

/* A complete listing; namespaces with levels joined by U+001F. refusal: why the refused ones are. */
extern bool floe_inbox_apply_listing(int32 pass_id, int32 catalog_id, const char *const *namespaces,
									 const char *const *names, int n, int64 left_out, const char *const *refused,
									 int nrefused, const char *refusal, int32 *fresh, FloeStatus *st);

/* Where a catalog is to be asked for policies; a namespace as its levels joined by U+001F, name NULL: not of a table. */
typedef struct FloePolicyTarget
{
	char *namespace;
	char *name;
} FloePolicyTarget;

extern bool floe_inbox_policy_targets(int32 catalog_id, FloePolicyTarget **targets, int *n, FloeStatus *st);
/* Answers by namespace and name ("": not of a table), several of one target where there were pages. */
extern bool floe_inbox_apply_policies(int32 catalog_id, const char *const *namespaces, const char *const *names,
									  const char *const *answers, int n, int32 *attached, FloeStatus *st);
extern bool floe_inbox_policies_failed(int32 catalog_id, const FloeStatus *failure, FloeStatus *st);

typedef struct FloeTableClaim
{
	int64 table_id;
	int32 catalog_id;
	char **namespace;
	int nlevels;
	char *table_name;
	char *name;
	char *metadata_location; /* of the last assessment; NULL: none */
	char *etag;
	int64 look; /* later ones have larger numbers */
} FloeTableClaim;

/* shares: how many of each catalog at most */
extern bool floe_inbox_claim_tables(int32 pass_id, const int32 *catalog_ids, const int32 *shares, int ncatalogs,
									const char *pattern, bool nothing_in_flight, FloeTableClaim **claims, int *n,
									FloeStatus *st);
/* Whether or not it is due.  FLOE_ERR_NOT_FOUND: dropped, FLOE_ERR_UNSUPPORTED: quarantined. */
extern bool floe_inbox_claim_table(int32 pass_id, int64 table_id, FloeTableClaim *claim, FloeStatus *st);
/* etags: new ones, "" for what keeps its own; or NULL for all */
extern bool floe_inbox_tables_unchanged(const int64 *table_ids, const char *const *etags, int n, FloeStatus *st);
/* location: of the table, as far as it became known; NULL: it did not. */
extern bool floe_inbox_table_failed(const FloeTableClaim *claim, const FloeStatus *failure, const char *location,
									FloeStatus *st);

/* Without a word about them; due again after so many seconds each.  held: places, from 1, of those that somebody else has locked. */
extern bool floe_inbox_give_back(int32 pass_id, const int64 *table_ids, const int32 *due_s, int n, int32 **held,
								 int *nheld, FloeStatus *st);

/* Manifests as arrays, the form in which SQL takes them. */
typedef struct FloeManifestArrays
{
	int n;
	const char **paths;
	int64 *lengths;
	int32 *contents;
	int32 *spec_ids;
	int64 *sequence_numbers;
	int64 *added_snapshot_ids;
} FloeManifestArrays;

typedef struct FloeUnread
{
	int32 *places; /* from 1 */
	int n;
	bool has_scoped_deletes;
	int64 small_below;
	int64 oversized_above;
} FloeUnread;

extern bool floe_inbox_unread_manifests(int64 table_id, const FloeManifestArrays *manifests, bool need_paths,
										const char *properties_json, FloeUnread *unread, FloeStatus *st);
extern bool floe_inbox_store_manifests(int64 table_id, const FloeManifestArrays *manifests, const bool *have_paths,
									   const FloeBytes *aggregates, FloeStatus *st);

/* Bytes that are NULL or texts that are NULL become SQL NULL.  FLOE_ERR_NOT_FOUND: it was dropped meanwhile. */
extern bool floe_inbox_apply_assessment(const FloeTableClaim *claim, const char *facts_json, FloeBytes snapshots,
										const char *etag, const FloeManifestArrays *manifests, bool is_complete,
										FloeStatus *st);

/* Milliseconds until a catalog, a table of these catalogs or (if asked) a decision is due; -1: never. */
extern bool floe_inbox_next_ms(const int32 *catalog_ids, int n, bool decisions, int64 *next_ms, FloeStatus *st);

/* decided: how many were due, at most as many as asked for (more while there are budgets). */
extern bool floe_inbox_plan_due(int32 most, int32 *decided, int32 *queued, FloeStatus *st);
extern bool floe_inbox_plan_and_queue(const char *pattern, int32 *queued, FloeStatus *st);
extern bool floe_inbox_purge(int32 most, bool *more, FloeStatus *st);

#endif /* FLOE_STATE_INBOX_H */
