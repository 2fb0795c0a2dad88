/*
 * trino_errors.c: Trino's errors by name and words.
 */
#include "floe.h"

#include "engine/trino_errors.h"

#include "base/utf8.h"

#include <string.h>

/* So much of a message is kept, and looked at. */
#define MESSAGE_MAX 2048

/* Both must match; the first rule that does decides. */
typedef struct ErrorRule
{
	const char *name;  /* NULL: any; ends with '*': a prefix */
	const char *words; /* somewhere in the messages, without case; NULL: any */
	FloeErrorClass error_class;
	bool interrupted;
	const char *meaning; /* what the message does not say; NULL: nothing */
} ErrorRule;

static const ErrorRule rules[] = {
	/* whatever the name: what the words mean */
	{"INVALID_PROCEDURE_ARGUMENT", "shorter than the minimum retention", FLOE_CLASS_CONFIG, false,
	 "the policy's age must be longer, or the engine's minimum shorter"},
	{NULL, "Unexpected FilterNode found in plan", FLOE_CLASS_PERMANENT, false,
	 "a where of Trino's optimize can only name partition columns"},
	{NULL, "Error processing metadata for table", FLOE_CLASS_PERMANENT, false, NULL},
	{NULL, "Found new conflicting delete", FLOE_CLASS_CONFLICT, false, NULL},
	{NULL, "Found conflicting files", FLOE_CLASS_CONFLICT, false, NULL},
	{NULL, "Missing required files to delete", FLOE_CLASS_CONFLICT, false, NULL},
	{NULL, "found new delete for replaced data file", FLOE_CLASS_CONFLICT, false, NULL},
	{NULL, "branch main has changed", FLOE_CLASS_CONFLICT, false, NULL},
	{NULL, "CommitFailedException", FLOE_CLASS_CONFLICT, false, NULL},
	{NULL, "CommitStateUnknownException", FLOE_CLASS_TRANSIENT, true,
	 "the table's snapshots decide whether it was committed"},
	{NULL, "OutOfMemoryError", FLOE_CLASS_RESOURCE, false, NULL},
	{NULL, "Java heap space", FLOE_CLASS_RESOURCE, false, NULL},
	{NULL, "No space left on device", FLOE_CLASS_RESOURCE, false, NULL},
	{NULL, "SlowDown", FLOE_CLASS_TRANSIENT, false, NULL},
	{NULL, "reduce your request rate", FLOE_CLASS_TRANSIENT, false, NULL},
	{NULL, "Status Code: 503", FLOE_CLASS_TRANSIENT, false, NULL},
	{NULL, "Status Code: 429", FLOE_CLASS_TRANSIENT, false, NULL},
	{NULL, "ExpiredToken", FLOE_CLASS_TRANSIENT, false, "the engine's credentials for the store ran out"},
	{NULL, "AccessDenied", FLOE_CLASS_CONFIG, false, "the engine's credentials lack a privilege in the store"},
	{NULL, "Status Code: 403", FLOE_CLASS_CONFIG, false,
	 "the store refuses the engine's credentials, or they lack a privilege"},
	{NULL, "InvalidAccessKeyId", FLOE_CLASS_CONFIG, false, NULL},
	{NULL, "SignatureDoesNotMatch", FLOE_CLASS_CONFIG, false, NULL},
	{NULL, "NoSuchBucket", FLOE_CLASS_CONFIG, false, NULL},
	{NULL, "No factory for location", FLOE_CLASS_CONFIG, false,
	 "the engine's catalog has no file system for the table's location"},
	{NULL, "NotAuthorizedException", FLOE_CLASS_CONFIG, false, "the catalog refuses the engine's credentials"},
	{NULL, "ForbiddenException", FLOE_CLASS_CONFIG, false, "the engine's credentials lack a privilege in the catalog"},

	/* ended by somebody, or by a limit */
	{"USER_CANCELED", NULL, FLOE_CLASS_TRANSIENT, true, "somebody ended it at the engine"},
	{"ADMINISTRATIVELY_KILLED", NULL, FLOE_CLASS_RESOURCE, true, NULL},
	{"ADMINISTRATIVELY_PREEMPTED", NULL, FLOE_CLASS_RESOURCE, true, NULL},
	{"ABANDONED_*", NULL, FLOE_CLASS_TRANSIENT, true,
	 "nobody asked for its pages for longer than the engine's query.client.timeout"},
	{"EXCEEDED_*", NULL, FLOE_CLASS_RESOURCE, true, NULL},
	{"CLUSTER_OUT_OF_MEMORY", NULL, FLOE_CLASS_RESOURCE, true, NULL},
	{"GENERIC_INSUFFICIENT_RESOURCES", NULL, FLOE_CLASS_RESOURCE, true, NULL},
	{"QUERY_QUEUE_FULL", NULL, FLOE_CLASS_RESOURCE, false, NULL},
	{"QUERY_REJECTED", NULL, FLOE_CLASS_RESOURCE, false, NULL},
	{"OUT_OF_SPILL_SPACE", NULL, FLOE_CLASS_RESOURCE, true, NULL},
	{"ICEBERG_TOO_MANY_OPEN_PARTITIONS", NULL, FLOE_CLASS_RESOURCE, false,
	 "slice the table by a where, or raise the engine's iceberg.max-partitions-per-writer"},

	/* another commit won */
	{"ICEBERG_COMMIT_ERROR", NULL, FLOE_CLASS_CONFLICT, false, NULL},
	{"TRANSACTION_CONFLICT", NULL, FLOE_CLASS_CONFLICT, false, NULL},

	/* network and restarts, the engine's own and of what it needs */
	{"NO_NODES_AVAILABLE", NULL, FLOE_CLASS_TRANSIENT, false, NULL},
	{"SERVER_*", NULL, FLOE_CLASS_TRANSIENT, true, NULL},
	{"PAGE_TRANSPORT_*", NULL, FLOE_CLASS_TRANSIENT, false, NULL},
	{"REMOTE_*", NULL, FLOE_CLASS_TRANSIENT, true, NULL},
	{"TOO_MANY_REQUESTS_FAILED", NULL, FLOE_CLASS_TRANSIENT, false, NULL},
	{"CATALOG_NOT_AVAILABLE", NULL, FLOE_CLASS_TRANSIENT, false, NULL},
	{"HIVE_METASTORE_ERROR", NULL, FLOE_CLASS_TRANSIENT, false, NULL},
	{"ICEBERG_CATALOG_ERROR", NULL, FLOE_CLASS_TRANSIENT, false, NULL},
	{"ICEBERG_FILESYSTEM_ERROR", NULL, FLOE_CLASS_TRANSIENT, false, NULL},
	{"ICEBERG_CANNOT_OPEN_SPLIT", NULL, FLOE_CLASS_TRANSIENT, false, NULL},
	{"ICEBERG_CURSOR_ERROR", NULL, FLOE_CLASS_TRANSIENT, false, NULL},
	{"ICEBERG_WRITER_*", NULL, FLOE_CLASS_TRANSIENT, false, NULL},
	{"GENERIC_EXTERNAL", NULL, FLOE_CLASS_TRANSIENT, false, NULL},

	/* the table as it is */
	{"ICEBERG_INVALID_METADATA", NULL, FLOE_CLASS_PERMANENT, false, NULL},
	{"ICEBERG_MISSING_METADATA", NULL, FLOE_CLASS_PERMANENT, false, NULL},
	{"ICEBERG_BAD_DATA", NULL, FLOE_CLASS_PERMANENT, false, NULL},
	{"ICEBERG_INVALID_PARTITION_VALUE", NULL, FLOE_CLASS_PERMANENT, false, NULL},
	{"ICEBERG_UNKNOWN_TABLE_TYPE", NULL, FLOE_CLASS_PERMANENT, false, NULL},
	{"UNSUPPORTED_TABLE_TYPE", NULL, FLOE_CLASS_PERMANENT, false, NULL},
	{"NOT_SUPPORTED", NULL, FLOE_CLASS_PERMANENT, false, NULL},
	{"CORRUPT_PAGE", NULL, FLOE_CLASS_TRANSIENT, false, NULL},

	/* policy, server, privileges */
	{"PERMISSION_DENIED", NULL, FLOE_CLASS_CONFIG, false, "the engine's user lacks a privilege"},
	{"CONFIGURATION_*", NULL, FLOE_CLASS_CONFIG, false, NULL},
	{"CATALOG_*", NULL, FLOE_CLASS_CONFIG, false, NULL},
	{"TABLE_NOT_FOUND", NULL, FLOE_CLASS_CONFIG, false,
	 "also what Trino says when it has no such schema or catalog: see option catalog.<name> of the engine"},
};

/* For names that no rule has. */
static const struct
{
	const char *type;
	FloeErrorClass error_class;
} types[] = {
	{"USER_ERROR", FLOE_CLASS_CONFIG},
	{"INSUFFICIENT_RESOURCES", FLOE_CLASS_RESOURCE},
	{"EXTERNAL", FLOE_CLASS_TRANSIENT},
	{"INTERNAL_ERROR", FLOE_CLASS_TRANSIENT},
};

static bool
is_name(const char *rule, const char *name)
{
	size_t len = strlen(rule);

	return rule[len - 1] == '*' ? strncmp(rule, name, len - 1) == 0 : strcmp(rule, name) == 0;
}

static bool
has_words(const char *text, const char *words)
{
	size_t len = strlen(words);

	for (; *text != '\0'; text++)
	{
		if (strncasecmp(text, words, len) == 0)
			return true;
	}
	return false;
}

static const ErrorRule *
find_rule(const char *name, const char *text)
{
	for (size_t i = 0; i < lengthof(rules); i++)
	{
		if ((rules[i].name == NULL || is_name(rules[i].name, name)) &&
			(rules[i].words == NULL || has_words(text, rules[i].words)))
			return &rules[i];
	}
	return NULL;
}

/* Without its package, its frames and what follows the first line that says something. */
static void
append_words(FloeBuf *out, const FloeSecrets *secrets, const char *text)
{
	FloeBuf masked;
	size_t len = strnlen(text, MESSAGE_MAX * 8);
	const char *end;

	/* a secret of one byte becomes three */
	floe_buf_init(&masked, len * 3 + 1);
	if (floe_secrets_append(secrets, &masked, text, len) && masked.data != NULL)
	{
		end = strstr(masked.data, "\n\tat ");
		len = Min(end != NULL ? (size_t) (end - masked.data) : masked.len, (size_t) MESSAGE_MAX);
		floe_utf8_append(out, masked.data, len);
	}
	floe_buf_free(&masked);
}

static const char *
without_package(const char *exception)
{
	const char *dot = strrchr(exception, '.');

	return dot != NULL ? dot + 1 : exception;
}

FloeErrorClass
floe_trino_error_read(const FloeTrinoError *error, const FloeSecrets *secrets, char *line, size_t size,
					  bool *interrupted)
{
	const char *name = error->name != NULL ? error->name : "";
	bool has_cause = error->cause_message != NULL && error->cause_message[0] != '\0' &&
					 (error->message == NULL || strstr(error->message, error->cause_message) == NULL);
	FloeErrorClass error_class = FLOE_CLASS_TRANSIENT;
	const ErrorRule *rule;
	FloeBuf out;

	floe_buf_init(&out, MESSAGE_MAX * 16);
	append_words(&out, secrets, name);
	if (error->message != NULL && error->message[0] != '\0')
	{
		floe_buf_text(&out, out.len > 0 ? ": " : "");
		append_words(&out, secrets, error->message);
	}
	if (has_cause)
	{
		floe_buf_text(&out, "; caused by ");
		append_words(&out, secrets, without_package(error->cause_type != NULL ? error->cause_type : "an exception"));
		floe_buf_text(&out, ": ");
		append_words(&out, secrets, error->cause_message);
	}
	for (size_t i = 0; error->type != NULL && i < lengthof(types); i++)
	{
		if (strcmp(types[i].type, error->type) == 0)
			error_class = types[i].error_class;
	}
	rule = find_rule(name, out.data != NULL ? out.data : "");
	if (rule != NULL)
		error_class = rule->error_class;
	*interrupted = rule != NULL && rule->interrupted;
	if (rule != NULL && rule->meaning != NULL)
		floe_buf_printf(&out, " (%s)", rule->meaning);
	if (out.len == 0)
		floe_buf_text(&out, "the engine reports an error without a message");
	floe_copy_text(line, size, out.data != NULL ? out.data : "", out.len);
	floe_utf8_one_line(line);
	floe_buf_free(&out);
	return error_class;
}
