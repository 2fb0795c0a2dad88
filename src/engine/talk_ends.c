/*
 * talk_ends.c: failures and rows of the adapters with a JSON interface: masked, reduced, classified, capped.
 *
 * Everything a server wrote passes here before it is kept; separate from the
 * requests because nothing here is about HTTP.
 */
#include "floe.h"

#include "engine/talk.h"

#include "base/utf8.h"
#include "engine/spark_errors.h"

#include <string.h>

/* Results are evidence, not the purpose. */
#define KEEP_ROWS 1000

/* -------------------------------------------------------------------------
 * Failures
 * ------------------------------------------------------------------------- */

void
floe_talk_note(FloeTalk *t, const FloeStatus *why)
{
	floe_adapter_note(t->run, &t->secrets, why);
}

/* Because of HTTP, the protocol or floe's own rules. */
void
floe_talk_error(FloeTalk *t, const FloeStatus *why)
{
	FloeEngineRun *run = t->run;

	floe_talk_note(t, why);
	run->error_class = floe_adapter_class(why->code);
	if (run->last_failure.detail[0] != '\0')
		snprintf(run->error, sizeof(run->error), "%s: %s", run->last_failure.message, run->last_failure.detail);
	else
		snprintf(run->error, sizeof(run->error), "%s", run->last_failure.message);
	for (char *at = run->error; *at != '\0'; at++)
	{
		if ((unsigned char) *at < ' ')
			*at = ' ';
	}
}

/* Because the server says so; without a text of its own that is the other one. */
void
floe_talk_error_text(FloeTalk *t, const char *text, const char *otherwise, FloeErrorClass otherwise_class)
{
	FloeEngineRun *run = t->run;
	FloeStatus st;

	run->error_class = floe_adapter_spark_error(t->run, &t->secrets, text, text != NULL ? strlen(text) : 0);
	if (run->error[0] == '\0')
	{
		snprintf(run->error, sizeof(run->error), "%s", otherwise);
		run->error_class = otherwise_class;
	}
	floe_fail_detail(&st, FLOE_ERR_ENGINE, run->error, "the engine reports a failure");
	floe_talk_note(t, &st);
}

void
floe_talk_lost(FloeTalk *t, const char *why, const char *text)
{
	FloeEngineRun *run = t->run;
	char detail[FLOE_STATUS_DETAIL_SIZE];

	(void) floe_adapter_spark_error(t->run, &t->secrets, text, text != NULL ? strlen(text) : 0);
	floe_copy_text(detail, sizeof(detail), run->error, strlen(run->error));
	snprintf(run->error, sizeof(run->error), detail[0] != '\0' ? "%s: %s" : "%s%s", why, detail);
	run->error_class = FLOE_CLASS_TRANSIENT;
	t->must_settle = true;
}

FloeEngineVerb
floe_talk_done(FloeTalk *t)
{
	return floe_adapter_done(t->run, t->outcome);
}

/* -------------------------------------------------------------------------
 * Rows
 * ------------------------------------------------------------------------- */

void
floe_talk_reset_rows(FloeTalk *t)
{
	floe_buf_reset(&t->run->result);
	t->run->result_rows = 0;
	t->room = KEEP_ROWS;
}

static bool
append_masked(FloeTalk *t, FloeBuf *row, const char *text, size_t len)
{
	FloeBuf masked;
	bool ok;

	floe_buf_init(&masked, FLOE_ENGINE_RESULT_MAX);
	ok = floe_secrets_append(&t->secrets, &masked, text, len) &&
		 floe_json_quote(row, masked.data != NULL ? masked.data : "", masked.len);
	floe_buf_free(&masked);
	if (!ok)
		row->failed = true;
	return ok;
}

/* Anything that holds a secret, and all that is not a plain value, becomes text. */
static bool
append_value(FloeTalk *t, FloeBuf *row, FloeJson value)
{
	FloeJsonKind kind = floe_json_kind(value);
	const char *text = floe_json_string(value);
	FloeBuf rendered;
	bool ok;

	if (text != NULL)
		return append_masked(t, row, text, strlen(text));
	if (kind == FLOE_JSON_NONE || kind == FLOE_JSON_NULL)
		return floe_buf_text(row, "null");
	floe_buf_init(&rendered, FLOE_ENGINE_RESULT_MAX);
	ok = floe_json_render(value, &rendered);
	if (!ok)
		row->failed = true;
	else if (kind == FLOE_JSON_ARRAY || kind == FLOE_JSON_OBJECT ||
			 floe_secrets_found(&t->secrets, rendered.data, rendered.len))
		ok = append_masked(t, row, rendered.data, rendered.len);
	else
		ok = floe_buf_append(row, rendered.data, rendered.len);
	floe_buf_free(&rendered);
	return ok;
}

/* A row that does not fit ends what is kept; it is counted all the same. */
void
floe_talk_add_row(FloeTalk *t, const char *const *names, const FloeJson *values, int n)
{
	FloeBuf *result = &t->run->result;
	FloeBuf row;
	bool ok;

	t->run->result_rows++;
	if (t->room <= 0)
		return;
	floe_buf_init(&row, FLOE_ENGINE_RESULT_MAX);
	ok = floe_buf_char(&row, '{');
	for (int i = 0; ok && i < n; i++)
		ok = (i == 0 || floe_buf_char(&row, ',')) && append_masked(t, &row, names[i], strlen(names[i])) &&
			 floe_buf_char(&row, ':') && append_value(t, &row, values[i]);
	ok = ok && floe_buf_char(&row, '}');
	/* one byte for what separates it, one for the bracket that ends the array */
	if (ok && result->len + 2 + row.len <= FLOE_ENGINE_RESULT_MAX)
	{
		ok = floe_buf_char(result, result->len == 0 ? '[' : ',') && floe_buf_append(result, row.data, row.len);
		t->room--;
	}
	else
		t->room = 0;
	floe_buf_free(&row);
}

void
floe_talk_end_rows(FloeTalk *t)
{
	floe_buf_text(&t->run->result, t->run->result.len == 0 ? "[]" : "]");
}
