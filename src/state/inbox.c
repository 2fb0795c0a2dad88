/*
 * inbox.c: calls of floe_internal for passes, catalogs and assessments.
 */
#include "floe.h"

#include "state/inbox.h"

#include "utils/palloc.h"

bool
floe_inbox_begin_pass(const char *kind, int32 *pass_id, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_text(kind)};

	if (!floe_db_call("SELECT floe_internal.begin_pass($1)", args, 1, &rows, st))
		return false;
	*pass_id = floe_row_int4(&rows, 0, 0, 0);
	return true;
}

bool
floe_inbox_end_pass(int32 pass_id, FloeStatus *st)
{
	FloeArg args[] = {floe_arg_int4(pass_id)};

	return floe_db_call("SELECT floe_internal.end_pass($1)", args, 1, NULL, st);
}

bool
floe_inbox_claim_catalogs(int32 pass_id, const char *pattern, FloeCatalogClaim **claims, int *n, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int4(pass_id), floe_arg_text(pattern)};

	if (!floe_db_call("SELECT c.catalog_id, c.server_name, c.is_due FROM floe_internal.claim_catalogs($1, $2) AS c",
					  args, 2, &rows, st))
		return false;
	*n = rows.count;
	*claims = palloc0(sizeof(FloeCatalogClaim) * Max(rows.count, 1));
	for (int i = 0; i < rows.count; i++)
	{
		(*claims)[i].catalog_id = floe_row_int4(&rows, i, 0, 0);
		(*claims)[i].server_name = floe_row_text(&rows, i, 1);
		(*claims)[i].is_due = floe_row_bool(&rows, i, 2, false);
	}
	return true;
}

bool
floe_inbox_catalog_id(const char *server_name, int32 *catalog_id, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_text(server_name)};

	if (!floe_db_call("SELECT floe_internal.catalog_id($1)", args, 1, &rows, st))
		return false;
	*catalog_id = floe_row_int4(&rows, 0, 0, 0);
	return *catalog_id != 0 || floe_fail(st, FLOE_ERR_CONFIG, "there is no catalog \"%s\"", server_name);
}

bool
floe_inbox_catalog_connected(int32 catalog_id, const char *config_json, bool *probe, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int4(catalog_id), floe_arg_jsonb(config_json)};

	*probe = false;
	if (!floe_db_call("SELECT floe_internal.catalog_connected($1, $2::pg_catalog.jsonb)", args, 2, &rows, st))
		return false;
	*probe = floe_row_bool(&rows, 0, 0, false);
	return true;
}

bool
floe_inbox_catalog_failed(int32 pass_id, int32 catalog_id, const FloeStatus *failure, bool by_tables, FloeStatus *st)
{
	FloeArg args[] = {
		floe_arg_int4(catalog_id),      floe_arg_text(floe_code_name(failure->code)), floe_arg_text(failure->message),
		floe_arg_text(failure->detail), floe_arg_int8(failure->retry_after_ms),       floe_arg_bool(by_tables),
		floe_arg_int4(pass_id)};

	return floe_db_call("SELECT floe_internal.catalog_failed($1, $2, $3, $4, $5, $6, $7)", args, 7, NULL, st);
}

bool
floe_inbox_catalog_well(int32 catalog_id, FloeStatus *st)
{
	FloeArg args[] = {floe_arg_int4(catalog_id)};

	return floe_db_call("SELECT floe_internal.catalog_well($1)", args, 1, NULL, st);
}

bool
floe_inbox_apply_listing(int32 pass_id, int32 catalog_id, const char *const *namespaces, const char *const *names,
						 int n, int64 left_out, const char *const *refused, int nrefused, const char *refusal,
						 int32 *fresh, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int4(catalog_id),     floe_arg_text_array(namespaces, n),
					  floe_arg_text_array(names, n), floe_arg_int8(left_out),
					  floe_arg_int4(pass_id),        floe_arg_text_array(refused, nrefused),
					  floe_arg_text(refusal)};

	if (!floe_db_call("SELECT floe_internal.apply_listing($1, $2, $3, $4, $5, $6, $7)", args, 7, &rows, st))
		return false;
	*fresh = floe_row_int4(&rows, 0, 0, 0);
	return true;
}

bool
floe_inbox_policy_targets(int32 catalog_id, FloePolicyTarget **targets, int *n, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int4(catalog_id)};

	if (!floe_db_call("SELECT t.namespace, t.table_name FROM floe_internal.policy_targets($1) AS t", args, 1, &rows,
					  st))
		return false;
	*n = rows.count;
	*targets = palloc_extended(sizeof(FloePolicyTarget) * Max(rows.count, 1), MCXT_ALLOC_HUGE);
	for (int i = 0; i < rows.count; i++)
	{
		(*targets)[i].namespace = floe_row_text(&rows, i, 0);
		(*targets)[i].name = floe_row_text(&rows, i, 1);
	}
	return true;
}

bool
floe_inbox_apply_policies(int32 catalog_id, const char *const *namespaces, const char *const *names,
						  const char *const *answers, int n, int32 *attached, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int4(catalog_id), floe_arg_text_array(namespaces, n), floe_arg_text_array(names, n),
					  floe_arg_text_array(answers, n)};

	if (!floe_db_call("SELECT floe_internal.apply_catalog_policies($1, $2, array_replace($3, '', NULL), $4)", args, 4,
					  &rows, st))
		return false;
	*attached = floe_row_int4(&rows, 0, 0, 0);
	return true;
}

bool
floe_inbox_policies_failed(int32 catalog_id, const FloeStatus *failure, FloeStatus *st)
{
	FloeArg args[] = {floe_arg_int4(catalog_id), floe_arg_text(failure->message), floe_arg_text(failure->detail)};

	return floe_db_call("SELECT floe_internal.policy_source_failed($1, $2, $3)", args, 3, NULL, st);
}

static bool
not_listed(FloeStatus *st)
{
	return floe_fail(st, FLOE_ERR_NOT_FOUND, "the catalog does not list the table any more");
}

static void
read_claim(const FloeRows *rows, int row, FloeTableClaim *claim)
{
	claim->table_id = floe_row_int8(rows, row, 0, 0);
	claim->catalog_id = floe_row_int4(rows, row, 1, 0);
	claim->namespace = floe_row_text_array(rows, row, 2, &claim->nlevels);
	claim->table_name = floe_row_text(rows, row, 3);
	claim->name = floe_row_text(rows, row, 4);
	claim->metadata_location = floe_row_text(rows, row, 5);
	claim->etag = floe_row_text(rows, row, 6);
	claim->look = floe_row_int8(rows, row, 7, 0);
}

bool
floe_inbox_claim_tables(int32 pass_id, const int32 *catalog_ids, const int32 *shares, int ncatalogs,
						const char *pattern, bool nothing_in_flight, FloeTableClaim **claims, int *n, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int4(pass_id), floe_arg_int4_array(catalog_ids, ncatalogs), floe_arg_text(pattern),
					  floe_arg_int4_array(shares, ncatalogs), floe_arg_bool(nothing_in_flight)};

	if (!floe_db_call("SELECT t.table_id, t.catalog_id, t.namespace, t.table_name, t.name, t.metadata_location, "
					  "t.etag, t.look FROM floe_internal.claim_tables($1, $2, $3, $4, $5) AS t",
					  args, 5, &rows, st))
		return false;
	*n = rows.count;
	*claims = palloc0(sizeof(FloeTableClaim) * Max(rows.count, 1));
	for (int i = 0; i < rows.count; i++)
		read_claim(&rows, i, &(*claims)[i]);
	return true;
}

bool
floe_inbox_claim_table(int32 pass_id, int64 table_id, FloeTableClaim *claim, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int4(pass_id), floe_arg_int8(table_id)};

	if (!floe_db_call("SELECT t.table_id, t.catalog_id, t.namespace, t.table_name, t.name, t.metadata_location, "
					  "t.etag, t.look, t.is_quarantined FROM floe_internal.claim_table($1, $2) AS t",
					  args, 2, &rows, st))
		return false;
	if (rows.count != 1)
		return not_listed(st);
	if (floe_row_bool(&rows, 0, 8, false))
		return floe_fail_detail(st, FLOE_ERR_UNSUPPORTED, "floe.refresh() lets floe look at it again.",
								"the table is quarantined");
	read_claim(&rows, 0, claim);
	return true;
}

bool
floe_inbox_tables_unchanged(const int64 *table_ids, const char *const *etags, int n, FloeStatus *st)
{
	FloeArg args[] = {floe_arg_int8_array(table_ids, n), floe_arg_text_array(etags, etags != NULL ? n : 0)};

	if (etags == NULL)
		return floe_db_call("SELECT floe_internal.tables_unchanged($1)", args, 1, NULL, st);
	return floe_db_call("SELECT floe_internal.tables_unchanged($1, $2)", args, 2, NULL, st);
}

bool
floe_inbox_table_failed(const FloeTableClaim *claim, const FloeStatus *failure, const char *location, FloeStatus *st)
{
	FloeArg args[] = {
		floe_arg_int8(claim->table_id), floe_arg_text(floe_code_name(failure->code)), floe_arg_text(failure->message),
		floe_arg_text(failure->detail), floe_arg_int8(failure->retry_after_ms),       floe_arg_text(location),
		floe_arg_int8(claim->look)};

	return floe_db_call("SELECT floe_internal.table_failed($1, $2, $3, $4, $5, $6, $7)", args, lengthof(args), NULL,
						st);
}

bool
floe_inbox_give_back(int32 pass_id, const int64 *table_ids, const int32 *due_s, int n, int32 **held, int *nheld,
					 FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int4(pass_id), floe_arg_int8_array(table_ids, n), floe_arg_int4_array(due_s, n)};

	if (!floe_db_call("SELECT floe_internal.give_back_tables($1, $2, $3)", args, 3, &rows, st))
		return false;
	*held = floe_row_int4_array(&rows, 0, 0, nheld);
	return true;
}

bool
floe_inbox_unread_manifests(int64 table_id, const FloeManifestArrays *m, bool need_paths, const char *properties_json,
							FloeUnread *unread, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int8(table_id),
					  floe_arg_text_array(m->paths, m->n),
					  floe_arg_int8_array(m->lengths, m->n),
					  floe_arg_int4_array(m->contents, m->n),
					  floe_arg_int4_array(m->spec_ids, m->n),
					  floe_arg_int8_array(m->sequence_numbers, m->n),
					  floe_arg_int8_array(m->added_snapshot_ids, m->n),
					  floe_arg_bool(need_paths),
					  floe_arg_jsonb(properties_json)};

	if (!floe_db_call("SELECT u.unread, u.has_scoped_deletes, u.small_below, u.oversized_above "
					  "FROM floe_internal.unread_manifests($1, $2, $3, $4, $5, $6, $7, $8, $9::pg_catalog.jsonb) AS u",
					  args, lengthof(args), &rows, st))
		return false;
	unread->places = floe_row_int4_array(&rows, 0, 0, &unread->n);
	unread->has_scoped_deletes = floe_row_bool(&rows, 0, 1, false);
	unread->small_below = floe_row_int8(&rows, 0, 2, 0);
	unread->oversized_above = floe_row_int8(&rows, 0, 3, 0);
	return true;
}

bool
floe_inbox_store_manifests(int64 table_id, const FloeManifestArrays *m, const bool *have_paths,
						   const FloeBytes *aggregates, FloeStatus *st)
{
	FloeArg args[] = {floe_arg_int8(table_id),
					  floe_arg_text_array(m->paths, m->n),
					  floe_arg_int8_array(m->lengths, m->n),
					  floe_arg_int4_array(m->contents, m->n),
					  floe_arg_int4_array(m->spec_ids, m->n),
					  floe_arg_int8_array(m->sequence_numbers, m->n),
					  floe_arg_int8_array(m->added_snapshot_ids, m->n),
					  floe_arg_bool_array(have_paths, m->n),
					  floe_arg_bytea_array(aggregates, m->n)};

	return floe_db_call("SELECT floe_internal.store_manifests($1, $2, $3, $4, $5, $6, $7, $8, $9)", args,
						lengthof(args), NULL, st);
}

bool
floe_inbox_apply_assessment(const FloeTableClaim *claim, const char *facts_json, FloeBytes snapshots, const char *etag,
							const FloeManifestArrays *m, bool is_complete, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int8(claim->table_id),
					  floe_arg_jsonb(facts_json),
					  floe_arg_bytea(snapshots.data, snapshots.len),
					  floe_arg_text(etag),
					  floe_arg_text_array(m->paths, m->n),
					  floe_arg_int8_array(m->lengths, m->n),
					  floe_arg_int4_array(m->contents, m->n),
					  floe_arg_int4_array(m->spec_ids, m->n),
					  floe_arg_bool(is_complete),
					  floe_arg_int8(claim->look)};

	if (!floe_db_call(
			"SELECT floe_internal.apply_assessment($1, $2::pg_catalog.jsonb, $3, $4, $5, $6, $7, $8, $9, $10)", args,
			lengthof(args), &rows, st))
		return false;
	return floe_row_bool(&rows, 0, 0, false) || not_listed(st);
}

bool
floe_inbox_next_ms(const int32 *catalog_ids, int n, bool decisions, int64 *next_ms, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int4_array(catalog_ids, n), floe_arg_bool(decisions)};

	if (!floe_db_call("SELECT floe_internal.next_assessor_ms($1, $2)", args, 2, &rows, st))
		return false;
	*next_ms = floe_row_int8(&rows, 0, 0, -1);
	return true;
}

bool
floe_inbox_plan_due(int32 most, int32 *decided, int32 *queued, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int4(most)};

	if (!floe_db_call("SELECT p.decided, p.queued FROM floe_internal.plan_due($1) AS p", args, 1, &rows, st))
		return false;
	*decided = floe_row_int4(&rows, 0, 0, 0);
	*queued = floe_row_int4(&rows, 0, 1, 0);
	return true;
}

bool
floe_inbox_plan_and_queue(const char *pattern, int32 *queued, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_text(pattern)};

	if (!floe_db_call("SELECT floe_internal.plan_and_queue($1)", args, 1, &rows, st))
		return false;
	*queued = floe_row_int4(&rows, 0, 0, 0);
	return true;
}

bool
floe_inbox_purge(int32 most, bool *more, FloeStatus *st)
{
	FloeRows rows;
	FloeArg args[] = {floe_arg_int4(most)};

	if (!floe_db_call("SELECT floe_internal.purge($1)", args, 1, &rows, st))
		return false;
	*more = floe_row_bool(&rows, 0, 0, false);
	return true;
}
