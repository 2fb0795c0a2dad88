/*
 * assess.h: inside of one table's assessment (assess*.c only).
 *
 * An assessment is a chain of callbacks: load from the catalog, manifest list,
 * delete manifests, data manifests, store.  It has a memory context and an
 * arena of its own that end with it.
 */
#ifndef FLOE_PASS_ASSESS_H
#define FLOE_PASS_ASSESS_H

#include "pass/pass.h"

#include "iceberg/manifest_list.h"
#include "store/store.h"

typedef struct FloeAssess
{
	FloePass *pass;
	FloePassCatalog *catalog;
	MemoryContext context;
	FloeTableClaim claim; /* copied */
	FloeAssessDone done;
	void *arg;
	bool in_turn; /* it waits for a place before it is read */
	bool asking;  /* counted as that */

	FloeArena *arena; /* metadata and manifest list */
	const FloeTableMeta *meta;
	const char *location; /* what is known of it without meta; NULL: nothing */
	const char *etag;
	FloeStore store;
	MemoryContext renewed;       /* the newest credentials, when they are not those that came with meta */
	FloeMetaParser *file_parser; /* while a metadata file is read */
	FloeStatus parse_status;
	bool has_snapshot;    /* the catalog says which snapshot is current */
	int64 snapshot_id;    /* that one; -1: none */
	bool probing;         /* asking with snapshots=refs whether anything changed */
	int64 metadata_bytes; /* of the metadata file as stored; -1: unknown */

	FloeManifestList list;
	char *properties_json;
	bool keep_paths;   /* data manifests are needed with file paths */
	bool reading_data; /* delete manifests are done */
	bool incomplete;   /* the byte budget was used up */
	FloeSizeBounds bounds;
	int *todo; /* indexes into list.manifests still to be read */
	int ntodo;
	int next;    /* of todo */
	int reading; /* manifests under way */
	int64 bytes_read;
	List *fetched; /* FloeFetched: read, not stored yet */
	size_t fetched_bytes;
	bool failed;
	FloeStatus failure;
} FloeAssess;

/* A manifest's aggregate on its way into the database. */
typedef struct FloeFetched
{
	int index; /* into list.manifests */
	FloeBuf blob;
	bool has_paths;
} FloeFetched;

/* assess.c */
extern void floe_assess_fail(FloeAssess *a, const FloeStatus *st);
/* A read came back after the assessment failed: the last one ends it. */
extern void floe_assess_ended(FloeAssess *a);
extern void floe_assess_apply(FloeAssess *a);
extern void floe_assess_read_failed(FloeStatus *st, const char *what);
extern void floe_assess_name_object(FloeStatus *st, const char *location);

extern FloeArena *floe_assess_new_arena(void);
extern void floe_assess_load_request(const FloeAssess *a, FloeLoadMode mode, const char *etag, FloeArena *arena,
									 FloeLoadRequest *request);

/* assess_store.c: after meta is known, before the first read */
extern void floe_assess_open_store(FloeAssess *a);

/* The catalog has told where the metadata file is, or that it is where it was. */
extern void floe_assess_located(FloeAssess *a, const FloeStatus *st, const FloeLocated *located);

/* locate.c: what the catalog says of a table goes before what its metadata file says */
extern bool floe_assess_adapt(const FloeAssess *a, FloeTableMeta *meta, FloeStatus *st);

/* Its metadata file, and what follows. */
extern void floe_assess_read(FloeAssess *a);

/* locate.c: asks where the metadata file is, together with others of the catalog, then floe_assess_located() */
extern void floe_assess_locate(FloeAssess *a);

/* locate.c: floe_assess_read() when the catalog's window has a place */
extern void floe_assess_await_turn(FloeAssess *a);

/* locate.c: it waits and is asked for no more */
extern void floe_assess_asked(FloeAssess *a);

/* locate.c: there may be places */
extern void floe_assess_read_next(FloePassCatalog *catalog);

/* assess_manifests.c: reads what is not stored yet, then floe_assess_apply() */
extern void floe_assess_manifests(FloeAssess *a);

/* assess_facts.c: documents for apply_assessment() */
extern bool floe_assess_facts(const FloeAssess *a, FloeBuf *out, FloeStatus *st);
extern bool floe_assess_properties(const FloeTableMeta *meta, FloeBuf *out);

#endif /* FLOE_PASS_ASSESS_H */
