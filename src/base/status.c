/*
 * status.c: the table of failure codes and the functions that fill a status.
 *
 * Separate from its users because one place must know, for each code, how it
 * is named in rows, which SQLSTATE it raises, whether waiting can help and
 * what a person should look at next.
 */
#include "floe.h"

#include "base/status.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

typedef struct CodeInfo
{
	const char *name;
	const char *sqlstate;
	bool transient;
	FloePhase phase;
	const char *hint;
} CodeInfo;

/* SQLSTATEs: 08 connection, 28 authorization, 38 external routine, HV FDW, 53 resources, 57 operator. */
static const CodeInfo code_info[] = {
	[FLOE_OK] = {"ok", "00000", false, FLOE_PHASE_NONE, NULL},
	[FLOE_ERR_CONFIG] = {"config", "HV00D", false, FLOE_PHASE_CONFIG,
						 "Check the options of the server and its user mapping."},
	[FLOE_ERR_DENIED] =
		{"denied", "42501", false, FLOE_PHASE_CONFIG,
		 "A superuser can widen floe.allowed_hosts or floe.allowed_file_roots if this access is wanted."},
	[FLOE_ERR_DNS] = {"dns", "08001", true, FLOE_PHASE_DNS,
					  "Check the host name in the server's URL and this machine's resolver."},
	[FLOE_ERR_CONNECT] = {"connect", "08001", true, FLOE_PHASE_TCP,
						  "Check that the server runs and that its port can be reached from the database host."},
	[FLOE_ERR_TLS] = {"tls", "08001", true, FLOE_PHASE_TLS,
					  "Check the server's certificate, or name its authority in the server option ca_file."},
	[FLOE_ERR_TIMEOUT] = {"timeout", "08006", true, FLOE_PHASE_PROTOCOL,
						  "The server accepted the connection but did not answer in time."},
	[FLOE_ERR_NETWORK] = {"network", "08006", true, FLOE_PHASE_PROTOCOL,
						  "The connection broke; floe tries again by itself."},
	[FLOE_ERR_AUTH] = {"auth", "28000", false, FLOE_PHASE_AUTH,
					   "Check the credentials in the user mapping of the server's owner."},
	[FLOE_ERR_FORBIDDEN] =
		{"forbidden", "28000", false, FLOE_PHASE_AUTH,
		 "The credentials are valid but lack a privilege: grant it in the catalog, store or engine."},
	[FLOE_ERR_NOT_FOUND] = {"not_found", "38000", false, FLOE_PHASE_PROTOCOL,
							"The object does not exist, or these credentials may not see it."},
	[FLOE_ERR_CONFLICT] = {"conflict", "38000", true, FLOE_PHASE_PROTOCOL,
						   "Somebody else changed the object at the same time; floe tries again."},
	[FLOE_ERR_THROTTLED] = {"throttled", "53000", true, FLOE_PHASE_PROTOCOL,
							"The server asks for fewer requests; lower max_connections on the server."},
	[FLOE_ERR_SERVER] = {"server", "38000", true, FLOE_PHASE_PROTOCOL, "Look at the log of that server."},
	[FLOE_ERR_HTTP] = {"http", "38000", false, FLOE_PHASE_PROTOCOL,
					   "Check the URL: the server does not serve this request."},
	[FLOE_ERR_PROTOCOL] = {"protocol", "38000", false, FLOE_PHASE_PROTOCOL,
						   "Check the URL: what answers there does not speak the expected protocol."},
	[FLOE_ERR_CORRUPT] = {"corrupt", "XX001", false, FLOE_PHASE_PROTOCOL,
						  "Compare the object with another reader of Iceberg; floe keeps the last good health."},
	[FLOE_ERR_TOO_LARGE] = {"too_large", "54000", false, FLOE_PHASE_PROTOCOL,
							"A superuser can raise the limit named in the message."},
	[FLOE_ERR_UNSUPPORTED] = {"unsupported", "0A000", false, FLOE_PHASE_PROTOCOL, NULL},
	[FLOE_ERR_IO] = {"io", "58030", true, FLOE_PHASE_PROTOCOL,
					 "Check that the operating system user of the server may read the file."},
	[FLOE_ERR_NOMEM] = {"out_of_memory", "53200", true, FLOE_PHASE_NONE, NULL},
	[FLOE_ERR_CANCELLED] = {"cancelled", "57014", false, FLOE_PHASE_NONE, NULL},
	[FLOE_ERR_ENGINE] = {"engine", "38000", false, FLOE_PHASE_PROTOCOL, NULL},
	[FLOE_ERR_LOST] =
		{"lost", "08003", true, FLOE_PHASE_PROTOCOL,
		 "The engine was restarted or has forgotten the operation; the table's snapshots decide what happened."},
	[FLOE_ERR_BUSY] = {"busy", "55P03", true, FLOE_PHASE_NONE, "floe tries again by itself."},
	[FLOE_ERR_DATABASE] = {"database", "XX000", true, FLOE_PHASE_NONE, NULL},
	[FLOE_ERR_INTERNAL] = {"internal", "XX000", false, FLOE_PHASE_NONE, "This is a bug in floe; please report it."},
};

static const char *const phase_names[] = {
	[FLOE_PHASE_NONE] = "",
	[FLOE_PHASE_CONFIG] = "configuration",
	[FLOE_PHASE_DNS] = "DNS",
	[FLOE_PHASE_TCP] = "TCP",
	[FLOE_PHASE_TLS] = "TLS",
	[FLOE_PHASE_AUTH] = "auth",
	[FLOE_PHASE_PROTOCOL] = "protocol",
};

StaticAssertDecl(lengthof(code_info) == FLOE_ERR_INTERNAL + 1, "every FloeCode has its row");

static const CodeInfo *
info(FloeCode code)
{
	if ((int) code < 0 || (size_t) code >= lengthof(code_info))
		code = FLOE_ERR_INTERNAL;
	return &code_info[code];
}

void
floe_copy_text(char *dst, size_t size, const char *src, size_t len)
{
	if (size == 0)
		return;
	if (len > size - 1)
	{
		len = size - 1;
		/* step back over continuation bytes, so that no sequence is cut */
		while (len > 0 && ((unsigned char) src[len] & 0xC0) == 0x80)
			len--;
	}
	memmove(dst, src, len);
	dst[len] = '\0';
}

void
floe_status_ok(FloeStatus *st)
{
	st->code = FLOE_OK;
	st->http_status = 0;
	st->retry_after_ms = -1;
	st->message[0] = '\0';
	st->detail[0] = '\0';
}

static void set_message(FloeStatus *st, const char *fmt, va_list args) FLOE_PRINTF(2, 0);

static void
set_message(FloeStatus *st, const char *fmt, va_list args)
{
	char text[FLOE_STATUS_MESSAGE_SIZE * 2];

	vsnprintf(text, sizeof(text), fmt, args);
	floe_utf8_one_line(text);
	floe_copy_text(st->message, sizeof(st->message), text, strlen(text));
}

bool
floe_fail(FloeStatus *st, FloeCode code, const char *fmt, ...)
{
	va_list args;

	floe_status_ok(st);
	st->code = code;
	va_start(args, fmt);
	set_message(st, fmt, args);
	va_end(args);
	return false;
}

bool
floe_fail_detail(FloeStatus *st, FloeCode code, const char *detail, const char *fmt, ...)
{
	va_list args;

	floe_status_ok(st);
	st->code = code;
	va_start(args, fmt);
	set_message(st, fmt, args);
	va_end(args);
	if (detail != NULL)
	{
		floe_copy_text(st->detail, sizeof(st->detail), detail, strlen(detail));
		floe_utf8_one_line(st->detail);
	}
	return false;
}

bool
floe_status_prefix(FloeStatus *st, const char *fmt, ...)
{
	char text[FLOE_STATUS_MESSAGE_SIZE * 2 + 4];
	char what[FLOE_STATUS_MESSAGE_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	floe_utf8_one_line(what);
	snprintf(text, sizeof(text), "%s: %s", what, st->message);
	floe_copy_text(st->message, sizeof(st->message), text, strlen(text));
	return false;
}

const char *
floe_code_name(FloeCode code)
{
	return info(code)->name;
}

const char *
floe_code_sqlstate(FloeCode code)
{
	return info(code)->sqlstate;
}

const char *
floe_code_hint(FloeCode code)
{
	return info(code)->hint;
}

bool
floe_code_is_transient(FloeCode code)
{
	return info(code)->transient;
}

FloePhase
floe_code_phase(FloeCode code)
{
	return info(code)->phase;
}

const char *
floe_phase_name(FloePhase phase)
{
	return phase_names[phase];
}
