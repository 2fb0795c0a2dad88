/*
 * grpc.c: framing and status of gRPC.
 */
#include "floe.h"

#include "engine/grpc.h"

#include "base/protobuf.h"
#include "common/base64.h"

#include <stdlib.h>
#include <string.h>

#define ERROR_INFO "google.rpc.ErrorInfo"

void
floe_grpc_prefix(uint8_t prefix[FLOE_GRPC_PREFIX], uint32_t len)
{
	prefix[0] = 0; /* not compressed */
	prefix[1] = (uint8_t) (len >> 24);
	prefix[2] = (uint8_t) (len >> 16);
	prefix[3] = (uint8_t) (len >> 8);
	prefix[4] = (uint8_t) len;
}

bool
floe_grpc_next(FloeCursor *c, FloeCursor *message)
{
	FloeCursor ahead = *c;
	uint8_t flag;
	uint32_t len;

	if (floe_cursor_left(c) < FLOE_GRPC_PREFIX)
		return false;
	flag = floe_cursor_u8(&ahead);
	len = floe_cursor_be32(&ahead);
	if (flag != 0)
	{
		c->bad = true;
		return false;
	}
	if (len > floe_cursor_left(&ahead))
		return false;
	floe_cursor_init(message, floe_cursor_take(&ahead, len), len);
	*c = ahead;
	return true;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* grpc-message is percent-encoded; what is not so is kept as it is. */
static void
percent_decode(char *text)
{
	char *to = text;

	for (const char *p = text; *p != '\0'; p++)
	{
		int high = *p == '%' ? hex_digit(p[1]) : -1;
		int low = high >= 0 ? hex_digit(p[2]) : -1;

		/* a NUL would end the text */
		if (low >= 0 && high * 16 + low > 0)
		{
			*to++ = (char) (unsigned char) (high * 16 + low);
			p += 2;
		}
		else
			*to++ = *p;
	}
	*to = '\0';
}

/* Binary headers are base64, mostly without padding, which PostgreSQL's decoder insists on; -1 when it is none. */
static int
decode_binary(FloeGrpcEnd *end)
{
	char *text = end->header;
	size_t len = strlen(text);

	while (len > 0 && text[len - 1] == '=')
		len--;
	while (len % 4 != 0 && len + 1 < sizeof(end->header))
		text[len++] = '=';
	/* (void *): the parameter's type differs between versions of PostgreSQL */
	return pg_b64_decode(text, (int) len, (void *) end->details, (int) sizeof(end->details));
}

/* map<string, string>: an entry is a message of key and value. */
static void
read_metadata(FloeCursor entry, FloeGrpcEnd *end)
{
	FloeProtoField key;
	FloeProtoField value;
	char name[32];

	if (!floe_proto_find(entry, 1, &key) || !floe_proto_find(entry, 2, &value))
		return;
	floe_proto_copy(&key, name, sizeof(name));
	if (strcmp(name, "errorId") == 0)
		floe_proto_copy(&value, end->error_id, sizeof(end->error_id));
	else if (strcmp(name, "errorClass") == 0)
		floe_proto_copy(&value, end->error_name, sizeof(end->error_name));
}

/* google.protobuf.Any: type_url, value */
static void
read_detail(FloeCursor any, FloeGrpcEnd *end)
{
	FloeProtoField type;
	FloeProtoField value;
	FloeProtoField field;
	FloeCursor info;
	char name[128];

	if (!floe_proto_find(any, 1, &type) || !floe_proto_find(any, 2, &value))
		return;
	floe_proto_copy(&type, name, sizeof(name));
	if (strlen(name) < strlen(ERROR_INFO) || strcmp(name + strlen(name) - strlen(ERROR_INFO), ERROR_INFO) != 0)
		return;
	info = floe_proto_open(&value);
	while (floe_proto_next(&info, &field))
	{
		if (field.number == 1)
			floe_proto_copy(&field, end->reason, sizeof(end->reason));
		else if (field.number == 3)
			read_metadata(floe_proto_open(&field), end);
	}
	end->has_info = end->reason[0] != '\0';
}

/* google.rpc.Status: code, message, details */
static void
read_details(FloeGrpcEnd *end)
{
	FloeProtoField field;
	FloeCursor status;
	int len = decode_binary(end);

	if (len < 0)
		return;
	floe_cursor_init(&status, end->details, (size_t) len);
	while (floe_proto_next(&status, &field))
	{
		if (field.number == 3)
			read_detail(floe_proto_open(&field), end);
	}
}

void
floe_grpc_read_end(const FloeHttpResponse *response, FloeGrpcEnd *end)
{
	char code[16];
	char *after;
	long number;

	end->code = FLOE_GRPC_NONE;
	end->has_info = false;
	end->message[0] = end->reason[0] = end->error_id[0] = end->error_name[0] = '\0';
	if (!floe_http_header(response, "grpc-status", code, sizeof(code)))
		return;
	number = strtol(code, &after, 10);
	if (after == code || *after != '\0' || number < 0 || number > 16)
		return;
	end->code = (int) number;
	if (number == FLOE_GRPC_OK)
		return;
	if (floe_http_header(response, "grpc-message", end->header, sizeof(end->header)))
	{
		percent_decode(end->header);
		floe_copy_text(end->message, sizeof(end->message), end->header, strlen(end->header));
	}
	if (floe_http_header(response, "grpc-status-details-bin", end->header, sizeof(end->header)))
		read_details(end);
}
