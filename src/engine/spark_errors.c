/*
 * spark_errors.c: reducing Spark's stack traces and classifying them by a table.
 *
 * Separate from the adapter because the same texts come through Livy, Kyuubi
 * and Spark Connect.  The messages in the table were produced by Spark 3.5.9
 * with Iceberg 1.11.0, or stand as constants in its classes.
 */
#include "floe.h"

#include "engine/spark_errors.h"

#include "base/utf8.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Nothing behind it is read; servers send up to 32 kB. */
#define TEXT_MAX ((size_t) 64 * 1024)

typedef struct ErrorRule
{
	const char *exception; /* a class name, as a whole word; NULL: any */
	const char *words;     /* anywhere in the messages, without case; NULL: any */
	FloeErrorClass error_class;
	const char *meaning; /* what the message does not say; NULL: nothing to add */
	bool in_doubt;       /* it may have committed */
} ErrorRule;

/*
 * The first rule that fits decides.  Iceberg's exceptions come first, because
 * their classes are chosen with care; then resources, because running out of
 * memory also breaks everything else; then words.
 */
static const ErrorRule rules[] = {
	/* Iceberg: org.apache.iceberg.exceptions */
	{"ValidationException", "GC is disabled", FLOE_CLASS_PERMANENT, "table property gc.enabled is false"},
	{"ValidationException", "conflict", FLOE_CLASS_CONFLICT, NULL},
	{"ValidationException", "Missing required files to delete", FLOE_CLASS_CONFLICT, NULL},
	{"ValidationException", "Cannot commit", FLOE_CLASS_CONFLICT, NULL},
	{"ValidationException", "found new", FLOE_CLASS_CONFLICT, NULL},
	{"ValidationException", "Cannot determine history", FLOE_CLASS_CONFLICT, NULL},
	/* rewrite_manifests, when a commit in the meantime merged or rewrote the same ones; earlier Icebergs say the second */
	{"ValidationException", "could not be found in the latest snapshot", FLOE_CLASS_CONFLICT, NULL},
	{"ValidationException", "Manifest is missing: ", FLOE_CLASS_CONFLICT, NULL},
	{"ValidationException", "Unable to determine whether certain files are orphan", FLOE_CLASS_CONFIG,
	 "set equal_schemes or equal_authorities"},
	{"ValidationException", "Cannot find field", FLOE_CLASS_CONFIG, NULL},
	{"CommitFailedException", NULL, FLOE_CLASS_CONFLICT, NULL},
	{"CommitStateUnknownException", NULL, FLOE_CLASS_TRANSIENT, "the table's snapshots decide whether it was committed",
	 true},
	{"NotAuthorizedException", NULL, FLOE_CLASS_CONFIG, "the catalog refuses the engine's credentials"},
	{"ForbiddenException", NULL, FLOE_CLASS_CONFIG, "the engine's credentials lack a privilege in the catalog"},
	{"NoSuchTableException", NULL, FLOE_CLASS_CONFIG, NULL},
	{"NoSuchNamespaceException", NULL, FLOE_CLASS_CONFIG, NULL},
	{"NoSuchIcebergTableException", NULL, FLOE_CLASS_CONFIG, NULL},
	{"NoSuchWarehouseException", NULL, FLOE_CLASS_CONFIG, NULL},
	{"ServiceUnavailableException", NULL, FLOE_CLASS_TRANSIENT, NULL},
	{"ServiceFailureException", NULL, FLOE_CLASS_TRANSIENT, NULL},
	{"BadRequestException", NULL, FLOE_CLASS_CONFIG, NULL},
	{"UnprocessableEntityException", NULL, FLOE_CLASS_CONFIG, NULL},
	{"ValidationException", NULL, FLOE_CLASS_PERMANENT, NULL},
	{"NotFoundException", NULL, FLOE_CLASS_PERMANENT, "a file that the table's metadata names is missing in the store"},
	{NULL, "rewrite commits failed", FLOE_CLASS_CONFLICT, NULL},

	/* memory, disk, quota */
	{"OutOfMemoryError", NULL, FLOE_CLASS_RESOURCE, NULL},
	{"SparkOutOfMemoryError", NULL, FLOE_CLASS_RESOURCE, NULL},
	{NULL, "Java heap space", FLOE_CLASS_RESOURCE, NULL},
	{NULL, "GC overhead limit exceeded", FLOE_CLASS_RESOURCE, NULL},
	{NULL, "exceeding memory limits", FLOE_CLASS_RESOURCE, NULL},
	{NULL, "exceeding physical memory", FLOE_CLASS_RESOURCE, NULL},
	{NULL, "OOMKilled", FLOE_CLASS_RESOURCE, NULL},
	{NULL, "spark.driver.maxResultSize", FLOE_CLASS_RESOURCE, NULL},
	{NULL, "No space left on device", FLOE_CLASS_RESOURCE, NULL},
	{NULL, "quota exceeded", FLOE_CLASS_RESOURCE, NULL},

	/* object stores */
	{NULL, "SlowDown", FLOE_CLASS_TRANSIENT, NULL},
	{NULL, "reduce your request rate", FLOE_CLASS_TRANSIENT, NULL},
	{NULL, "Status Code: 503", FLOE_CLASS_TRANSIENT, NULL},
	{NULL, "Status Code: 429", FLOE_CLASS_TRANSIENT, NULL},
	{NULL, "ExpiredToken", FLOE_CLASS_TRANSIENT, "the engine's credentials for the store ran out"},
	{NULL, "AccessDenied", FLOE_CLASS_CONFIG, "the engine's credentials lack a privilege in the store"},
	{NULL, "Access Denied", FLOE_CLASS_CONFIG, "the engine's credentials lack a privilege in the store"},
	{NULL, "InvalidAccessKeyId", FLOE_CLASS_CONFIG, NULL},
	{NULL, "SignatureDoesNotMatch", FLOE_CLASS_CONFIG, NULL},
	{NULL, "NoSuchBucket", FLOE_CLASS_CONFIG, NULL},
	{NULL, "Unable to load credentials", FLOE_CLASS_CONFIG, NULL},
	{NULL, "Unable to load region", FLOE_CLASS_CONFIG, NULL},
	{NULL, "Status Code: 403", FLOE_CLASS_CONFIG,
	 "the store refuses the engine's credentials, or they lack a privilege"},
	{NULL, "No FileSystem for scheme", FLOE_CLASS_CONFIG,
	 "the engine lacks the file system; remove_orphan_files can go without it by prefix_listing"},

	/* the engine's configuration */
	{NULL, "Syntax error at or near 'CALL'", FLOE_CLASS_CONFIG,
	 "Iceberg's SQL extensions are missing in spark.sql.extensions, or its version has no such procedure"},
	{"ParseException", NULL, FLOE_CLASS_CONFIG, NULL},
	{"IcebergParseException", NULL, FLOE_CLASS_CONFIG, NULL},
	{NULL, "not a ProcedureCatalog", FLOE_CLASS_CONFIG, "the engine knows no Iceberg catalog of the name asked for"},
	{NULL, "does not support procedures", FLOE_CLASS_CONFIG,
	 "the engine knows no Iceberg catalog of the name asked for"},
	{NULL, "Cannot find catalog plugin class", FLOE_CLASS_CONFIG, NULL},
	{NULL, "FAILED_TO_LOAD_ROUTINE", FLOE_CLASS_CONFIG, "the engine's Iceberg has no such procedure"},
	{NULL, "TABLE_OR_VIEW_NOT_FOUND", FLOE_CLASS_CONFIG, NULL},
	{NULL, "Required field", FLOE_CLASS_CONFIG, NULL},

	/* network and restarts */
	{"RESTException", NULL, FLOE_CLASS_TRANSIENT, NULL},
	{"UnknownHostException", NULL, FLOE_CLASS_TRANSIENT, NULL},
	{"SocketTimeoutException", NULL, FLOE_CLASS_TRANSIENT, NULL},
	{NULL, "Connection refused", FLOE_CLASS_TRANSIENT, NULL},
	{NULL, "Connection reset", FLOE_CLASS_TRANSIENT, NULL},
	{NULL, "timed out", FLOE_CLASS_TRANSIENT, NULL},
	{NULL, "cannot accept new task", FLOE_CLASS_TRANSIENT, "the engine's queue of statements is full"},
	{NULL, "SparkContext was shut down", FLOE_CLASS_TRANSIENT, NULL},
	{NULL, "stopped SparkContext", FLOE_CLASS_TRANSIENT, NULL},
	{"FetchFailedException", NULL, FLOE_CLASS_TRANSIENT, NULL},
	{NULL, "ExecutorLostFailure", FLOE_CLASS_TRANSIENT, NULL},
	{"InterruptedException", NULL, FLOE_CLASS_TRANSIENT, NULL},

	/* what is left of the general classes */
	{NULL, "Couldn't load table", FLOE_CLASS_CONFIG, NULL},
	{"AnalysisException", NULL, FLOE_CLASS_CONFIG, NULL},
	{"ClassNotFoundException", NULL, FLOE_CLASS_CONFIG, NULL},
	{"NoClassDefFoundError", NULL, FLOE_CLASS_CONFIG, NULL},
	{"NoSuchMethodError", NULL, FLOE_CLASS_CONFIG, NULL},
	{"UnsupportedOperationException", NULL, FLOE_CLASS_PERMANENT, NULL},
	{"IllegalArgumentException", NULL, FLOE_CLASS_CONFIG, NULL},
	{"NumberFormatException", NULL, FLOE_CLASS_CONFIG, NULL},
};

/* What servers put before the exception they mean. */
static const char *const prefixes[] = {
	"org.apache.hive.service.cli.HiveSQLException: ",
	"org.apache.kyuubi.KyuubiSQLException: ",
	"java.util.concurrent.ExecutionException: ",
	"Error running query: ",
	"Error operating ExecuteStatement: ",
};

/* A piece of the text; not terminated. */
typedef struct Span
{
	const char *at;
	size_t len;
} Span;

static bool
starts_with(Span s, const char *prefix)
{
	size_t len = strlen(prefix);

	return s.len >= len && memcmp(s.at, prefix, len) == 0;
}

static Span
behind(Span s, size_t n)
{
	s.at += n;
	s.len -= n;
	return s;
}

/* Takes the next line off the text, without its end. */
static Span
next_line(Span *text)
{
	const char *end = memchr(text->at, '\n', text->len);
	Span line = {text->at, end != NULL ? (size_t) (end - text->at) : text->len};

	*text = behind(*text, line.len + (end != NULL));
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* Length of a qualified class name at the start that a colon follows ("java.lang.Error: "), or 0; "127.0.0.1:80" is none. */
static size_t
class_name_length(Span s)
{
	size_t len = 0;
	bool is_qualified = false;

	while (len < s.len && (isalnum((unsigned char) s.at[len]) || strchr("._$", s.at[len]) != NULL))
	{
		is_qualified = is_qualified || s.at[len] == '.';
		len++;
	}
	if (!is_qualified || len == s.len || s.at[len] != ':')
		return 0;
	return len + 1 == s.len || isspace((unsigned char) s.at[len + 1]) ? len : 0;
}

/* Drops the wrappers of the servers, and an error condition that the message behind the class repeats. */
static Span
strip_prefixes(Span s)
{
	size_t i = 0;

	while (i < lengthof(prefixes))
	{
		if (starts_with(s, prefixes[i]))
		{
			s = behind(s, strlen(prefixes[i]));
			i = 0;
		}
		else
			i++;
	}
	if (s.len > 0 && s.at[0] == '[')
	{
		const char *end = memchr(s.at, ']', s.len);
		Span rest;

		if (end != NULL && (size_t) (end - s.at) + 2 < s.len && end[1] == ' ')
		{
			rest = behind(s, (size_t) (end - s.at) + 2);
			if (class_name_length(rest) > 0)
				s = rest;
		}
	}
	return s;
}

static bool
is_blank(Span s)
{
	for (size_t i = 0; i < s.len; i++)
	{
		if (!isspace((unsigned char) s.at[i]))
			return false;
	}
	return true;
}

/* "java.lang.Error: text" without the package. */
static Span
strip_package(Span s)
{
	size_t len = class_name_length(s);

	while (len > 0 && s.at[len - 1] != '.')
		len--;
	return behind(s, len);
}

/* One exception of the chain: its first line that says something, up to two lines of the text. */
typedef struct Headline
{
	Span first;
	Span second; /* when the first ends with the colon behind the class */
} Headline;

static bool
same_headline(const Headline *a, const Headline *b)
{
	return a->first.len == b->first.len && memcmp(a->first.at, b->first.at, a->first.len) == 0;
}

/*
 * Reads one exception: its message into *headline and *reasons, and passes
 * over its frames up to the next cause.  False at the end of the text.
 */
static bool
read_exception(Span *text, Headline *headline, FloeBuf *reasons)
{
	bool in_message = true;

	memset(headline, 0, sizeof(*headline));
	headline->first.at = headline->second.at = "";
	if (text->len == 0)
		return false;
	while (text->len > 0)
	{
		Span line;

		/* the next exception begins here, unless this is the line that brought us */
		if (headline->first.len > 0 && starts_with(*text, "Caused by: "))
			break;
		line = next_line(text);
		if (starts_with(line, "Caused by: "))
			line = behind(line, strlen("Caused by: "));
		/* frames; the statement that Spark repeats is no reason either */
		if (starts_with(line, "\tat ") || starts_with(line, "\t...") || starts_with(line, "\tSuppressed: ") ||
			starts_with(line, "== SQL"))
			in_message = false;
		if (!in_message || is_blank(line))
			continue;
		if (headline->first.len == 0)
			headline->first = line = strip_prefixes(line);
		else if (headline->second.len == 0)
			headline->second = line;
		floe_utf8_append(reasons, line.at, line.len);
		floe_buf_char(reasons, '\n');
	}
	return true;
}

static void
append_headline(FloeBuf *out, const Headline *headline)
{
	Span first = strip_package(headline->first);
	bool has_message;

	while (first.len > 0 && isspace((unsigned char) first.at[first.len - 1]))
		first.len--;
	floe_utf8_append(out, first.at, first.len);
	has_message = first.len > 0 && first.at[first.len - 1] != ':';
	if (!has_message && headline->second.len > 0)
	{
		floe_buf_char(out, ' ');
		floe_utf8_append(out, headline->second.at, headline->second.len);
	}
}

/* Is the class named, as a word of its own? */
static bool
names_exception(const char *reasons, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = strstr(reasons, name); at != NULL; at = strstr(at + 1, name))
	{
		bool begins = at == reasons || !isalnum((unsigned char) at[-1]);

		if (begins && !isalnum((unsigned char) at[len]))
			return true;
	}
	return false;
}

static bool
has_words(const char *reasons, const char *words)
{
	size_t len = strlen(words);

	for (const char *at = reasons; *at != '\0'; at++)
	{
		if (strncasecmp(at, words, len) == 0)
			return true;
	}
	return false;
}

static const ErrorRule *
find_rule(const char *reasons)
{
	for (size_t i = 0; i < lengthof(rules); i++)
	{
		const ErrorRule *rule = &rules[i];

		if ((rule->exception == NULL || names_exception(reasons, rule->exception)) &&
			(rule->words == NULL || has_words(reasons, rule->words)))
			return rule;
	}
	return NULL;
}

static void
copy_line(const FloeBuf *out, char *line, size_t size)
{
	floe_copy_text(line, size, out->data != NULL ? out->data : "", out->len);
	for (char *at = line; *at != '\0'; at++)
	{
		if ((unsigned char) *at < ' ' || *at == 0x7F)
			*at = ' ';
	}
}

FloeErrorClass
floe_spark_error_read(const char *text, size_t len, char *line, size_t size, bool *in_doubt)
{
	Span rest = {text, Min(len, TEXT_MAX)};
	Headline outer;
	Headline cause;
	Headline last = {{"", 0}, {"", 0}};
	const ErrorRule *rule = NULL;
	FloeBuf reasons;
	FloeBuf out;

	/* in the worst case each byte becomes a replacement character of three */
	floe_buf_init(&reasons, TEXT_MAX * 4);
	floe_buf_init(&out, TEXT_MAX * 8);
	if (read_exception(&rest, &outer, &reasons))
	{
		append_headline(&out, &outer);
		while (read_exception(&rest, &cause, &reasons))
		{
			if (cause.first.len > 0)
				last = cause;
		}
		if (last.first.len > 0 && !same_headline(&outer, &last))
		{
			floe_buf_text(&out, "; caused by ");
			append_headline(&out, &last);
		}
	}
	if (reasons.data != NULL)
		rule = find_rule(reasons.data);
	if (rule != NULL && rule->meaning != NULL)
		floe_buf_printf(&out, " (%s)", rule->meaning);
	copy_line(&out, line, size);
	floe_buf_free(&reasons);
	floe_buf_free(&out);
	*in_doubt = rule != NULL && rule->in_doubt;
	return rule != NULL ? rule->error_class : FLOE_CLASS_TRANSIENT;
}
