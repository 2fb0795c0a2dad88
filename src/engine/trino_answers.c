/*
 * trino_answers.c: reading the answers of Trino, and rows into the result of a run.
 */
#include "floe.h"

#include "engine/trino.h"

#include <ctype.h>
#include <string.h>

#define MAX_CAUSES 16

bool
floe_trino_is_id(const char *text)
{
	size_t len = strlen(text);

	for (const char *at = text; *at != '\0'; at++)
	{
		if (!isalnum((unsigned char) *at) && *at != '_')
			return false;
	}
	return len > 0 && len < FLOE_TRINO_ID_MAX;
}

FloeJsonDoc *
floe_trino_parse(const FloeBuf *body, FloeStatus *st)
{
	return floe_json_parse(body->data, body->len, "answer of Trino", body->len + 1, st);
}

bool
floe_trino_read_info(FloeJson root, const char **version, bool *is_starting, FloeStatus *st)
{
	FloeJson node;

	return floe_json_get_object(root, "nodeVersion", &node, st) && floe_json_get_string(node, "version", version, st) &&
		   floe_json_opt_bool(root, "starting", false, is_starting, st);
}

/* The innermost cause says what happened: "Failed to commit" alone says little. */
static void
read_cause(FloeJson failure, FloeTrinoError *error)
{
	for (int i = 0; i < MAX_CAUSES; i++)
	{
		FloeJson cause = floe_json_field(failure, "cause");

		if (floe_json_kind(cause) != FLOE_JSON_OBJECT)
			return;
		failure = cause;
		if (floe_json_string(floe_json_field(cause, "message")) == NULL)
			continue;
		error->cause_type = floe_json_string(floe_json_field(cause, "type"));
		error->cause_message = floe_json_string(floe_json_field(cause, "message"));
	}
}

bool
floe_trino_read_page(FloeJson root, FloeTrinoPage *page, FloeStatus *st)
{
	FloeJson error;
	FloeJson stats;

	memset(page, 0, sizeof(*page));
	if (!floe_json_get_string(root, "id", &page->id, st) || !floe_json_get_object(root, "stats", &stats, st) ||
		!floe_json_get_string(stats, "state", &page->state, st) ||
		!floe_json_opt_string(root, "nextUri", &page->next_uri, st) ||
		!floe_json_opt_array(root, "columns", &page->columns, st) ||
		!floe_json_opt_array(root, "data", &page->data, st) || !floe_json_opt_object(root, "error", &error, st))
		return false;
	if (!floe_trino_is_id(page->id))
		return floe_fail(st, FLOE_ERR_PROTOCOL, "answer of Trino: field \"id\" is not the id of a query");
	page->has_error = floe_json_kind(error) == FLOE_JSON_OBJECT;
	if (page->has_error)
	{
		page->error.name = floe_json_string(floe_json_field(error, "errorName"));
		page->error.type = floe_json_string(floe_json_field(error, "errorType"));
		page->error.message = floe_json_string(floe_json_field(error, "message"));
		read_cause(floe_json_field(error, "failureInfo"), &page->error);
	}
	else if (page->next_uri == NULL && strcmp(page->state, "FINISHED") != 0)
		return floe_fail(st, FLOE_ERR_PROTOCOL, "answer of Trino: a last page in another state than FINISHED");
	return true;
}

bool
floe_trino_read_query(FloeJson root, FloeTrinoPage *page, FloeStatus *st)
{
	FloeJson failure;
	FloeJson code;

	memset(page, 0, sizeof(*page));
	if (!floe_json_get_string(root, "queryId", &page->id, st) ||
		!floe_json_get_string(root, "state", &page->state, st) ||
		!floe_json_opt_object(root, "failureInfo", &failure, st) || !floe_json_opt_object(root, "errorCode", &code, st))
		return false;
	page->has_error = strcmp(page->state, "FAILED") == 0;
	page->error.name = floe_json_string(floe_json_field(code, "name"));
	page->error.type = floe_json_string(floe_json_field(code, "type"));
	page->error.message = floe_json_string(floe_json_field(failure, "message"));
	read_cause(failure, &page->error);
	return true;
}

/* *id: of the query with that trace token, NULL when there is none. */
bool
floe_trino_find(FloeJson root, const char *trace_token, const char **id, FloeStatus *st)
{
	*id = NULL;
	if (floe_json_kind(root) != FLOE_JSON_ARRAY)
		return floe_fail(st, FLOE_ERR_PROTOCOL, "answer of Trino: not a list of queries");
	for (size_t i = 0; i < floe_json_length(root); i++)
	{
		FloeJson query = floe_json_at(root, i);
		const char *token = floe_json_string(floe_json_field(floe_json_field(query, "session"), "traceToken"));
		const char *found = floe_json_string(floe_json_field(query, "queryId"));

		if (token != NULL && strcmp(token, trace_token) == 0 && found != NULL && floe_trino_is_id(found))
			*id = found;
	}
	return true;
}

/* -------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------- */

static void
take_columns(FloeTrinoRun *m, FloeJson columns)
{
	size_t n = Min(floe_json_length(columns), (size_t) FLOE_TRINO_COLUMNS_MAX);

	for (size_t i = 0; i < n && m->ncolumns == (int) i; i++)
	{
		const char *name = floe_json_string(floe_json_field(floe_json_at(columns, i), "name"));

		m->columns[i] = name != NULL ? floe_arena_text(m->run->arena, name, strnlen(name, 256)) : "";
		if (m->columns[i] != NULL)
			m->ncolumns++;
	}
}

static void
append_value(FloeTrinoRun *m, FloeBuf *row, FloeJson value)
{
	const char *text = floe_json_string(value);
	FloeBuf masked;

	if (text == NULL)
	{
		floe_json_render(value, row);
		return;
	}
	floe_buf_init(&masked, FLOE_ENGINE_RESULT_MAX);
	if (!floe_secrets_append(&m->secrets, &masked, text, strlen(text)))
		row->failed = true;
	floe_json_quote(row, masked.data != NULL ? masked.data : "", masked.len);
	floe_buf_free(&masked);
}

static bool
append_row(FloeTrinoRun *m, FloeJson values)
{
	FloeBuf *result = &m->run->result;
	FloeBuf row;
	bool done;

	floe_buf_init(&row, FLOE_ENGINE_RESULT_MAX);
	floe_buf_text(&row, result->len == 0 ? "[{" : ",{");
	for (int i = 0; i < m->ncolumns && (size_t) i < floe_json_length(values); i++)
	{
		floe_buf_text(&row, i > 0 ? "," : "");
		floe_json_quote(&row, m->columns[i], strlen(m->columns[i]));
		floe_buf_char(&row, ':');
		append_value(m, &row, floe_json_at(values, (size_t) i));
	}
	floe_buf_char(&row, '}');
	/* one byte is left for the bracket that ends the array, and a value that is an object may hold a secret */
	done = !row.failed && result->len + row.len < FLOE_ENGINE_RESULT_MAX &&
		   !floe_secrets_found(&m->secrets, row.data, row.len) && floe_buf_append(result, row.data, row.len);
	floe_buf_free(&row);
	return done;
}

/* Results are evidence, not the purpose: what does not fit is counted only. */
void
floe_trino_keep_rows(FloeTrinoRun *m, const FloeTrinoPage *page)
{
	if (m->is_probe)
		return;
	if (m->ncolumns == 0)
		take_columns(m, page->columns);
	for (size_t i = 0; i < floe_json_length(page->data); i++)
	{
		m->run->result_rows++;
		if (m->room > 0 && !append_row(m, floe_json_at(page->data, i)))
			m->room = 1;
		m->room--;
	}
}

void
floe_trino_close_result(FloeTrinoRun *m)
{
	FloeBuf *result = &m->run->result;

	if (m->is_probe)
	{
		floe_buf_text(result, "[{\"product\":\"Trino\",\"version\":");
		floe_json_quote(result, m->version, strlen(m->version));
		floe_buf_text(result, "}]");
		m->run->result_rows = 1;
		return;
	}
	/* A query whose pages were lost may have had rows; and one without any says nothing of what it did. */
	if (m->next_uri[0] == '\0')
		floe_buf_reset(result);
	else if (result->len > 0)
		floe_buf_text(result, "]");
}
