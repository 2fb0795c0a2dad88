/*
 * s3.c: requests signed by net/sigv4.c and sent by the engine, and digests without a resource owner.
 */
#include "floe.h"

#include "base/clock.h"
#include "base/digest.h"
#include "net/sigv4.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/resowner.h"

PG_FUNCTION_INFO_V1(floe_test_s3);
PG_FUNCTION_INFO_V1(floe_test_digest_without_owner);
PG_FUNCTION_INFO_V1(floe_test_sign_bench);

#define MAX_PARAMS 8

/* {name, value, name, value} */
static int
read_params(ArrayType *array, FloeSigV4Param *params)
{
	Datum *values;
	bool *nulls;
	int count;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	if (count % 2 != 0 || count > 2 * MAX_PARAMS)
		elog(ERROR, "parameters must be pairs");
	for (int i = 0; i < count / 2; i++)
	{
		params[i].name = TextDatumGetCString(values[2 * i]);
		params[i].value = TextDatumGetCString(values[2 * i + 1]);
	}
	return count / 2;
}

static const char *
body_hash(const text *body)
{
	uint8_t digest[FLOE_SHA256_SIZE];
	char *hex = palloc(FLOE_SHA256_HEX_SIZE);

	if (!floe_sha256(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), digest))
		elog(ERROR, "no digest");
	floe_sha256_hex(digest, hex);
	return hex;
}

/* endpoint, method, path, params, headers, body, access key, secret key, region, how the payload is signed */
Datum
floe_test_s3(PG_FUNCTION_ARGS)
{
	text *body = PG_GETARG_TEXT_PP(5);
	char *how = text_to_cstring(PG_GETARG_TEXT_PP(9));
	FloeSigV4Param params[MAX_PARAMS];
	FloeSigV4Param headers[MAX_PARAMS];
	FloeHttpHeader to_sign[MAX_PARAMS];
	FloeSigV4Input in = {0};
	FloeSigV4Output out;
	FloeHttpOptions options;
	FloeHttpRequest request = {0};
	FloeHttpResponse response;
	FloeArena *arena = floe_arena_new(100000);
	FloeUrl endpoint;
	FloeStatus st;
	FloeHttp *http;
	TupleDesc desc;
	Datum values[3];
	bool nulls[3] = {0};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (!floe_url_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), &endpoint, &st))
		elog(ERROR, "%s", st.message);
	in.endpoint = &endpoint;
	in.method = text_to_cstring(PG_GETARG_TEXT_PP(1));
	in.path = text_to_cstring(PG_GETARG_TEXT_PP(2));
	in.params = params;
	in.nparams = read_params(PG_GETARG_ARRAYTYPE_P(3), params);
	in.headers = to_sign;
	in.nheaders = read_params(PG_GETARG_ARRAYTYPE_P(4), headers);
	for (int i = 0; i < in.nheaders; i++)
	{
		to_sign[i] = (FloeHttpHeader){headers[i].name, headers[i].value};
		floe_http_add_header(&request, headers[i].name, headers[i].value, &st);
	}
	in.s3 = true;
	in.send_payload_hash = true;
	in.payload_hash = strcmp(how, "unsigned") == 0 ? FLOE_SIGV4_UNSIGNED
					  : strcmp(how, "body") == 0   ? body_hash(body)
												   : NULL;
	in.access_key = text_to_cstring(PG_GETARG_TEXT_PP(6));
	in.secret_key = text_to_cstring(PG_GETARG_TEXT_PP(7));
	in.region = text_to_cstring(PG_GETARG_TEXT_PP(8));
	in.service = "s3";
	in.time_ms = floe_clock_wall_ms();
	if (!floe_sigv4_sign(&in, arena, &out, &st))
		elog(ERROR, "%s", st.message);

	for (int i = 0; i < out.nheaders; i++)
		floe_http_add_header(&request, out.headers[i].name, out.headers[i].value, &st);
	request.method = in.method;
	request.url = out.url;
	request.body = VARSIZE_ANY_EXHDR(body) > 0 ? VARDATA_ANY(body) : NULL;
	request.body_len = VARSIZE_ANY_EXHDR(body);
	floe_http_default_options(&options);
	http = floe_http_create(&options);
	if (!floe_http_fetch(http, &request, &response, &st))
		elog(ERROR, "%s", st.message);
	values[0] = Int32GetDatum(response.http_status);
	values[1] = PointerGetDatum(
		cstring_to_text_with_len(response.body.data ? response.body.data : "", (int) response.body.len));
	values[2] = CStringGetTextDatum(out.url);
	floe_http_response_free(&response);
	floe_http_destroy(http);
	floe_arena_free(arena);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/* As a worker between two transactions computes them. */
Datum
floe_test_digest_without_owner(PG_FUNCTION_ARGS)
{
	ResourceOwner owner = CurrentResourceOwner;
	uint8_t digest[FLOE_SHA256_SIZE];
	char hex[FLOE_SHA256_HEX_SIZE];
	bool ok = true;

	CurrentResourceOwner = NULL;
	for (int i = 0; i < 1000; i++)
		ok = ok && floe_sha256("abc", 3, digest) &&
			 floe_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, digest);
	ok = ok && CurrentResourceOwner == NULL;
	CurrentResourceOwner = owner;
	floe_sha256_hex(digest, hex);
	PG_RETURN_TEXT_P(cstring_to_text(ok ? hex : "failed"));
}

/* Microseconds per signature. */
Datum
floe_test_sign_bench(PG_FUNCTION_ARGS)
{
	int count = PG_GETARG_INT32(0);
	FloeArena *arena = floe_arena_new(100000);
	FloeUrl endpoint;
	FloeStatus st;
	FloeSigV4Key key = {.scope = ""};
	FloeSigV4Input in = {.method = "GET",
						 .key = PG_GETARG_BOOL(1) ? &key : NULL,
						 .endpoint = &endpoint,
						 .path = "/bucket/warehouse/db/table/metadata/0123456789abcdef-m0.avro",
						 .s3 = true,
						 .send_payload_hash = true,
						 .access_key = "AKIDEXAMPLE",
						 .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
						 .region = "us-east-1",
						 .service = "s3",
						 .time_ms = floe_clock_wall_ms()};
	FloeSigV4Output out;
	int64_t start_us = floe_clock_steady_us();

	floe_url_parse("https://s3.example.com", &endpoint, &st);
	for (int i = 0; i < count; i++)
	{
		floe_arena_reset(arena);
		if (!floe_sigv4_sign(&in, arena, &out, &st))
			elog(ERROR, "%s", st.message);
	}
	floe_arena_free(arena);
	PG_RETURN_FLOAT8((double) (floe_clock_steady_us() - start_us) / count);
}
