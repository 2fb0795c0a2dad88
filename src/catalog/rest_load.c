/*
 * rest_load.c: loading one table from a REST catalog, metadata parsed as it arrives.
 *
 * The body never stands in memory as a whole: libcurl's pieces go straight
 * into the metadata parser.
 */
#include "floe.h"

#include "catalog/rest.h"

#define ETAG_MAX 1024

typedef struct Load
{
	FloeLoadRequest request;
	FloeLoadDone done;
	void *arg;
	FloeMetaParser *parser;
	FloeStatus parse_status; /* not OK: why the sink stopped the transfer */
	size_t received;
} Load;

/* Runs inside libcurl: no server function may be called here. */
static bool
on_piece(void *arg, const char *data, size_t len)
{
	Load *load = arg;

	if (data == NULL)
	{
		/* a retry: what the first attempt left in the arena is given back with the arena */
		floe_status_ok(&load->parse_status);
		load->received = 0;
		load->parser = floe_meta_parser_new(load->request.arena, FLOE_META_LOAD_RESULT, &load->request.limits);
		if (load->parser == NULL)
			return floe_fail(&load->parse_status, FLOE_ERR_NOMEM, "out of memory for table metadata");
		return true;
	}
	load->received += len;
	return load->parser != NULL && floe_meta_parser_feed(load->parser, data, len, &load->parse_status);
}

/*
 * Of a compressed answer Jetty says ETag--gzip, and the catalog behind it, which compares the bytes, never has that: then it is told
 * what the catalog had said.
 */
static void
drop_jetty_suffix(const FloeHttpResponse *response, char *etag)
{
	static const char suffix[] = "--gzip";
	size_t len = strlen(etag);
	bool quoted = len > 0 && etag[len - 1] == '"';
	size_t end = quoted ? len - 1 : len;
	char encoding[32];

	if (end < strlen(suffix) || strncmp(etag + end - strlen(suffix), suffix, strlen(suffix)) != 0 ||
		!floe_http_header(response, "Content-Encoding", encoding, sizeof(encoding)) || strcmp(encoding, "gzip") != 0)
		return;
	strcpy(etag + end - strlen(suffix), quoted ? "\"" : "");
}

static void
answer(Load *load, const FloeStatus *st, FloeHttpResponse *response)
{
	FloeLoadAnswer result = {0};
	FloeStatus outcome = *st;
	char etag[ETAG_MAX];

	if (load->parse_status.code != FLOE_OK)
		outcome = load->parse_status;
	else if (st->code == FLOE_OK && response->http_status == 304)
	{
		if (load->request.etag == NULL)
			floe_fail(&outcome, FLOE_ERR_PROTOCOL, "load table: the catalog answered 304 to an unconditional request");
		result.unchanged = true;
	}
	else if (st->code == FLOE_OK && (load->parser == NULL || load->received == 0))
		floe_fail(&outcome, FLOE_ERR_PROTOCOL, "load table: the catalog's answer is empty");
	else if (st->code == FLOE_OK && floe_meta_parser_finish(load->parser, &result.meta, &outcome))
	{
		if (result.meta->load.metadata_location == NULL)
			floe_fail(&outcome, FLOE_ERR_PROTOCOL, "load table: the answer has no metadata-location");
		if (floe_http_header(response, "ETag", etag, sizeof(etag)) && strlen(etag) < ETAG_MAX - 1)
		{
			drop_jetty_suffix(response, etag);
			result.etag = floe_arena_text(load->request.arena, etag, strlen(etag));
		}
	}
	if (outcome.code != FLOE_OK)
		result = (FloeLoadAnswer){
			.location = load->parser != NULL ? floe_meta_parser_location(load->parser) : NULL,
		};
	load->done(load->arg, &outcome, &result);
	pfree(load);
}

static void
on_loaded(FloeRestCall *call, const FloeStatus *st, FloeHttpResponse *response)
{
	answer(call->arg, st, response);
}

void
floe_rest_load_table(FloeCatalog *catalog, const FloeLoadRequest *request, FloeLoadDone done, void *arg)
{
	FloeRest *rest = (FloeRest *) catalog;
	Load *load = MemoryContextAllocZero(rest->context, sizeof(Load));
	StringInfoData path;
	FloeRestCall *call;

	load->request = *request;
	load->done = done;
	load->arg = arg;
	floe_status_ok(&load->parse_status);
	initStringInfo(&path);
	appendStringInfoString(&path, "namespaces/");
	floe_rest_encode_namespace(rest, &path, request->id.namespace, request->id.nlevels);
	appendStringInfoString(&path, "/tables/");
	floe_session_encode(&path, request->id.name);
	if (request->mode == FLOE_LOAD_REFS)
		appendStringInfoString(&path, "?snapshots=refs");
	call = floe_rest_call(rest, "load table", path.data, on_loaded, load);
	call->sink = on_piece;
	call->wants_credentials = true;
	call->max_body = request->limits.json_bytes;
	call->if_none_match = request->etag;
	floe_rest_send(call);
	pfree(path.data);
}
