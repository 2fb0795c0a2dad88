/*
 * spark_session.c: which settings of a session Spark's pages must not show.
 *
 * Spark's pages show a session's settings with each of its statements, but for
 * those whose key fits an expression.  Spark's own knows few words; to these
 * come the keys of settings that are marked, any odd character of which stands
 * for one of any kind.
 */
#include "floe.h"

#include "engine/spark_session.h"

#include "base/buf.h"

#include <ctype.h>

#define MAX_REGEX ((size_t) 1024 * 1024)

#define REDACTION_WORDS                                                                                                \
	"(?i)url|secret|passw|token|credential|authorization|access[._-]?key|api[._-]?key|private[._-]?key"

const char *
floe_spark_redaction(FloeArena *arena, const FloeEngineTarget *target)
{
	FloeBuf regex;
	const char *text = NULL;

	floe_buf_init(&regex, MAX_REGEX);
	floe_buf_text(&regex, REDACTION_WORDS);
	for (int i = 0; i < target->nsession_conf; i++)
	{
		if (!target->session_conf[i].is_secret)
			continue;
		floe_buf_text(&regex, "|^");
		for (const char *p = target->session_conf[i].key; *p != '\0'; p++)
			floe_buf_char(&regex, isalnum((unsigned char) *p) || *p == '_' ? *p : '.');
		floe_buf_char(&regex, '$');
	}
	if (!regex.failed)
		text = floe_arena_text(arena, regex.data, regex.len);
	floe_buf_free(&regex);
	return text;
}
