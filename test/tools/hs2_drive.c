/*
 * hs2_drive.c: runs the spark-thrift adapter against a real server, without PostgreSQL.
 *
 * The executor in small: blocking libcurl instead of the event loop, a file
 * instead of the operation's row.  Prints each verb, and at the end outcome,
 * class, error and result.  For the lab tests, and for looking at a server.
 *
 *   hs2_drive URL --probe
 *   hs2_drive URL --statement 'CALL …' [--user U] [--password P] [--conf KEY=VALUE]…
 *   hs2_drive URL --operation rewrite_data_files --catalog C --name LEVEL … --name TABLE [--options JSON]
 *       renders the statement first, and prints it
 *   hs2_drive --list
 *       the table of options: operation, name, type, need, least value, first choice, refused or not
 *       --state FILE         saved bytes go there, and an existing one is resumed
 *       --crash-after N      ends the process without a word after the Nth verb
 *       --lose N             the answer to the Nth request is thrown away
 *       --cancel-after N     asks for cancellation before the Nth call of next()
 *       --record FILE        requests and answers, in hexadecimal
 */
#include "floe.h"

#include "engine/hs2.h"
#include "engine/ops.h"
#include "engine/render.h"
#include "engine/spark_options.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONF 64
#define MAX_NAMES 16

typedef struct Options
{
	const char *state;
	const char *record;
	int crash_after;
	int lose;
	int cancel_after;
	bool is_probe;
	FloeEngineTarget target;
	FloeKeyValue conf[MAX_CONF];
	const char *statement;
	const char *operation;
	const char *catalog;
	const char *options;
	const char *names[MAX_NAMES]; /* levels, then the table */
	int nnames;
} Options;

static const char *const verb_names[] = {"SEND", "SAVE", "WAIT", "DONE"};
static const char *const outcome_names[] = {"none", "succeeded", "failed", "cancelled", "lost"};

static size_t
take_body(char *data, size_t size, size_t n, void *arg)
{
	return floe_buf_append(arg, data, size * n) ? size * n : 0;
}

static void
record(const Options *o, const FloeHttpRequest *request, const FloeHttpResponse *response)
{
	FILE *file = fopen(o->record, "a");

	if (file == NULL)
		return;
	for (size_t i = 0; i < request->body_len; i++)
		fprintf(file, "%02x", ((const unsigned char *) request->body)[i]);
	fprintf(file, "\n");
	for (size_t i = 0; i < response->body.len; i++)
		fprintf(file, "%02x", (unsigned char) response->body.data[i]);
	fprintf(file, "\n\n");
	fclose(file);
}

static void
send_request(CURL *curl, const FloeHttpRequest *request, FloeHttpResponse *response)
{
	struct curl_slist *headers = NULL;
	CURLcode code;
	long http_status = 0;

	memset(response, 0, sizeof(*response));
	floe_status_ok(&response->status);
	floe_buf_init(&response->body, request->max_body);
	for (int i = 0; i < request->nheaders; i++)
	{
		char line[16384];

		snprintf(line, sizeof(line), "%s: %s", request->headers[i].name, request->headers[i].value);
		headers = curl_slist_append(headers, line);
	}
	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, request->url);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_POST, 1L);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) request->body_len);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &response->body);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long) request->total_timeout_ms);
	if (!request->post_is_repeatable)
		curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);
	response->http_status = (int) http_status;
	if (code == CURLE_COULDNT_CONNECT)
		floe_fail(&response->status, FLOE_ERR_CONNECT, "%s", curl_easy_strerror(code));
	else if (code != CURLE_OK)
		floe_fail(&response->status, FLOE_ERR_NETWORK, "%s", curl_easy_strerror(code));
	curl_slist_free_all(headers);
}

static size_t
read_state(const char *path, char *saved)
{
	FILE *file = path != NULL ? fopen(path, "rb") : NULL;
	size_t len;

	if (file == NULL)
		return 0;
	len = fread(saved, 1, FLOE_ENGINE_SAVED_MAX, file);
	fclose(file);
	return len;
}

static void
write_state(const char *path, const FloeEngineRun *run)
{
	FILE *file = path != NULL ? fopen(path, "wb") : NULL;

	if (file == NULL)
		return;
	fwrite(run->saved, 1, run->saved_len, file);
	fclose(file);
}

/* One option that has a value; false when it is none. */
static bool
set_option(Options *o, const char *name, char *value)
{
	const struct
	{
		const char *name;
		const char **text;
		int *number;
	} table[] = {
		{"--statement", &o->statement, NULL},
		{"--user", &o->target.user, NULL},
		{"--password", &o->target.password, NULL},
		{"--state", &o->state, NULL},
		{"--record", &o->record, NULL},
		{"--operation", &o->operation, NULL},
		{"--catalog", &o->catalog, NULL},
		{"--options", &o->options, NULL},
		{"--crash-after", NULL, &o->crash_after},
		{"--lose", NULL, &o->lose},
		{"--cancel-after", NULL, &o->cancel_after},
	};
	FloeKeyValue *pair = &o->conf[o->target.nsession_conf];
	char *equals = strchr(value, '=');

	for (size_t i = 0; i < lengthof(table); i++)
	{
		if (strcmp(name, table[i].name) != 0)
			continue;
		if (table[i].text != NULL)
			*table[i].text = value;
		else
			*table[i].number = atoi(value);
		return true;
	}
	if (strcmp(name, "--name") == 0 && o->nnames < MAX_NAMES)
	{
		o->names[o->nnames++] = value;
		return true;
	}
	if (strcmp(name, "--conf") != 0 || o->target.nsession_conf == MAX_CONF || equals == NULL)
		return false;
	*equals = '\0';
	pair->key = value;
	pair->value = equals + 1;
	o->target.nsession_conf++;
	return true;
}

static bool
read_options(Options *o, int argc, char **argv)
{
	memset(o, 0, sizeof(*o));
	o->target.request_timeout_ms = 60000;
	o->target.session_conf = o->conf;
	if (argc < 2)
		return false;
	o->target.url = argv[1];
	for (int i = 2; i < argc; i++)
	{
		if (strcmp(argv[i], "--probe") == 0)
			o->is_probe = true;
		else if (i + 1 == argc || !set_option(o, argv[i], argv[i + 1]))
			return false;
		else
			i++;
	}
	return o->is_probe || o->statement != NULL || (o->operation != NULL && o->catalog != NULL && o->nnames > 1);
}

/* The statement of --operation into the buffer. */
static bool
render(Options *o, FloeBuf *buf)
{
	FloeEngineTable table = {o->catalog, o->names, o->nnames - 1, o->names[o->nnames - 1]};
	const char *text = o->options != NULL ? o->options : "{}";
	FloeStatus st;
	FloeJsonDoc *doc = floe_json_parse(text, strlen(text), "options", 65536, &st);
	bool done = doc != NULL &&
				floe_spark_render(&table, o->operation, floe_json_root(doc), (int64_t) time(NULL) * 1000, buf, &st);

	floe_json_free(doc);
	if (!done)
		fprintf(stderr, "cannot render: %s %s\n", st.message, st.detail);
	else
		printf("%s\n", buf->data);
	o->statement = buf->data;
	return done;
}

/* The name of the call in a request, for the trace. */
static FloeThriftText
call_name(const FloeHttpRequest *request)
{
	FloeCursor c;

	floe_cursor_init(&c, request->body, request->body_len);
	floe_cursor_skip(&c, 4);
	return floe_thrift_read_text(&c);
}

static void
drive(const Options *o, FloeEngineRun *run)
{
	CURL *curl = curl_easy_init();
	FloeHttpResponse response;
	FloeEngineVerb verb = FLOE_ENGINE_WAIT;
	bool has_response = false;
	int requests = 0;

	for (int calls = 1; verb != FLOE_ENGINE_DONE; calls++)
	{
		if (calls == o->cancel_after)
			run->cancel_requested = true;
		verb = floe_engine_spark_thrift.next(run, has_response ? &response : NULL);
		if (has_response)
			floe_buf_free(&response.body);
		has_response = false;
		printf("%s", verb_names[verb]);
		if (verb == FLOE_ENGINE_SEND)
		{
			FloeThriftText name = call_name(&run->request);

			printf(" %.*s", (int) name.len, name.data);
			fflush(stdout);
			send_request(curl, &run->request, &response);
			has_response = true;
			printf(" -> HTTP %d, %zu bytes%s%s", response.http_status, response.body.len,
				   response.status.code != FLOE_OK ? ", " : "", response.status.message);
			if (o->record != NULL)
				record(o, &run->request, &response);
			if (++requests == o->lose)
			{
				printf(" (thrown away)");
				floe_buf_reset(&response.body);
				response.http_status = 0;
				floe_fail(&response.status, FLOE_ERR_NETWORK, "the answer was thrown away");
			}
		}
		else if (verb == FLOE_ENGINE_SAVE)
		{
			printf(" %zu bytes, external id %s", run->saved_len, run->external_id);
			write_state(o->state, run);
		}
		else if (verb == FLOE_ENGINE_WAIT)
		{
			printf(" %d ms%s%s", run->wait_ms, run->unreachable ? ", unreachable: " : "",
				   run->unreachable ? run->last_failure.message : "");
			usleep((useconds_t) run->wait_ms * 1000);
		}
		printf("\n");
		fflush(stdout);
		if (calls == o->crash_after)
			_exit(3);
	}
	if (has_response)
		floe_buf_free(&response.body);
	curl_easy_cleanup(curl);
}

static void
list_options(void)
{
	static const char *const needs[] = {"nothing", "sort", "zorder"};
	const FloeSparkOption *o;

	for (size_t i = 0; (o = floe_spark_option_at(i)) != NULL; i++)
		printf("%s\t%s\t%s\t%s\t%lld\t%s\t%s\n", o->operation, o->name, floe_option_type_name(o->type), needs[o->need],
			   (long long) o->min, o->values != NULL ? o->values[0] : "", o->refusal != NULL ? "refused" : "sent");
}

int
main(int argc, char **argv)
{
	static char saved[FLOE_ENGINE_SAVED_MAX];
	Options o;
	FloeEngineRun *run;
	FloeArena *arena = floe_arena_new((size_t) 256 * 1024 * 1024);
	FloeStatus st;
	FloeBuf statement;
	size_t saved_len;
	bool begun;

	if (argc == 2 && strcmp(argv[1], "--list") == 0)
	{
		list_options();
		floe_arena_free(arena);
		return 0;
	}
	if (!read_options(&o, argc, argv))
	{
		fprintf(stderr, "usage: hs2_drive URL --probe | --statement TEXT [option value]…\n");
		return 2;
	}
	floe_buf_init(&statement, 1024 * 1024);
	if (o.operation != NULL && !render(&o, &statement))
		return 2;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	saved_len = read_state(o.state, saved);
	run = floe_arena_alloc0(arena, sizeof(FloeEngineRun));
	run->target = &o.target;
	run->operation_id = "00000000-0000-4000-8000-00000000d21e";
	run->statement = o.statement;
	run->arena = arena;
	begun = o.is_probe ? floe_engine_spark_thrift.begin_probe(run, &st)
					   : floe_engine_spark_thrift.begin(run, saved, saved_len, &st);
	if (!begun)
	{
		fprintf(stderr, "cannot begin: %s\n", st.message);
		return 2;
	}
	drive(&o, run);
	printf("outcome %s\nclass %s\nerror %s\nrows %lld\nresult %s\n", outcome_names[run->outcome],
		   floe_error_class_name(run->error_class), run->error, (long long) run->result_rows,
		   run->result.len > 0 ? run->result.data : "");
	begun = run->outcome == FLOE_OUTCOME_SUCCEEDED;
	floe_buf_free(&run->result);
	floe_buf_free(&statement);
	floe_arena_free(arena);
	curl_global_cleanup();
	return begun ? 0 : 1;
}
