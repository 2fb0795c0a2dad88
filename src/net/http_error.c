/*
 * http_error.c: what libcurl's result means to a person.
 *
 * Separate because the wording is a feature: the code and the message must say
 * which step failed (name, TCP, TLS, sending, first byte, reading) at which
 * host and port, and nothing that could be secret: no path, query or header.
 */
#include "floe.h"

#include "base/utf8.h"
#include "net/http_engine.h"

#include <string.h>

/* CURLE_TOO_LARGE, which older headers do not know */
#define CURLE_TOO_LARGE_8_6 100

/* libcurl's own words; it puts no URLs and no headers into them. */
static const char *
curl_words(FloeHttpTransfer *transfer, CURLcode result)
{
	size_t len;

	floe_utf8_repair(transfer->error);
	for (char *p = transfer->error; *p != '\0'; p++)
	{
		if ((unsigned char) *p < ' ')
			*p = ' ';
	}
	len = strlen(transfer->error);
	while (len > 0 && transfer->error[len - 1] == ' ')
		transfer->error[--len] = '\0';
	return transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(result);
}

/* The system's words for the last failed system call on the connection; NULL without one. */
static const char *
system_words(FloeHttpTransfer *transfer)
{
	long number = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
	return number != 0 ? strerror((int) number) : NULL;
}

static curl_off_t
info_number(FloeHttpTransfer *transfer, CURLINFO info)
{
	curl_off_t value = 0;

	curl_easy_getinfo(transfer->easy, info, &value);
	return value;
}

static bool
sending(FloeHttpTransfer *transfer)
{
	return info_number(transfer, CURLINFO_SIZE_UPLOAD_T) < (curl_off_t) transfer->request.body_len;
}

static void
describe_timeout(FloeHttpTransfer *transfer, FloeStatus *st)
{
	const char *who = transfer->who;
	int total_ms = (int) (info_number(transfer, CURLINFO_TOTAL_TIME_T) / 1000);

	switch (transfer->step)
	{
		case FLOE_HTTP_RESOLVING:
			floe_fail(st, FLOE_ERR_DNS, "host \"%s\" was not resolved within %d ms", transfer->url.host, total_ms);
			break;
		case FLOE_HTTP_CONNECTING:
			floe_fail(st, FLOE_ERR_CONNECT, "no connection to %s within %d ms", who, total_ms);
			break;
		case FLOE_HTTP_HANDSHAKING:
			floe_fail(st, FLOE_ERR_TLS, "no TLS handshake with %s within %d ms", who, total_ms);
			break;
		case FLOE_HTTP_SENDING:
			if (sending(transfer))
				floe_fail(st, FLOE_ERR_TIMEOUT, "%s did not take the whole request within %d ms", who, total_ms);
			else
				floe_fail(st, FLOE_ERR_TIMEOUT, "%s did not answer within %d ms", who, total_ms);
			break;
		case FLOE_HTTP_READING:
			if (total_ms < transfer->request.total_timeout_ms)
				floe_fail(st, FLOE_ERR_TIMEOUT, "the answer of %s came with less than %d bytes per second for %d s",
						  who, transfer->http->options.low_speed_bytes, transfer->http->options.low_speed_s);
			else
				floe_fail(st, FLOE_ERR_TIMEOUT, "the answer of %s was not complete within %d ms, after %zu bytes", who,
						  total_ms, transfer->body_bytes);
			break;
	}
}

static void
describe_lost_connection(FloeHttpTransfer *transfer, FloeStatus *st)
{
	const char *who = transfer->who;
	const char *reason = system_words(transfer);

	switch (transfer->step)
	{
		case FLOE_HTTP_RESOLVING:
		case FLOE_HTTP_CONNECTING:
			floe_fail(st, FLOE_ERR_CONNECT, "connection to %s lost while it was being made", who);
			break;
		case FLOE_HTTP_HANDSHAKING:
			floe_fail(st, FLOE_ERR_TLS, "connection to %s lost during the TLS handshake", who);
			break;
		case FLOE_HTTP_SENDING:
			if (sending(transfer))
				floe_fail(st, FLOE_ERR_NETWORK, "connection to %s lost while sending the request", who);
			else
				floe_fail(st, FLOE_ERR_NETWORK, "%s closed the connection without an answer", who);
			break;
		case FLOE_HTTP_READING:
			floe_fail(st, FLOE_ERR_NETWORK, "connection to %s lost in the middle of the answer, after %zu bytes", who,
					  transfer->body_bytes);
			break;
	}
	if (reason == NULL)
		reason = transfer->error;
	floe_copy_text(st->detail, sizeof(st->detail), reason, strlen(reason));
}

/* An end of the receiving side that the system did not report as an error: malformed framing, or TLS broke off. */
static bool
is_framing_error(FloeHttpTransfer *transfer)
{
	return transfer->step == FLOE_HTTP_READING && !transfer->url.https && system_words(transfer) == NULL;
}

void
floe_http_describe_error(FloeHttpTransfer *transfer, CURLcode result, FloeStatus *st)
{
	const char *words = curl_words(transfer, result);
	const char *who = transfer->who;

	switch ((int) result)
	{
		case CURLE_COULDNT_RESOLVE_HOST:
			floe_fail(st, FLOE_ERR_DNS, "cannot resolve host \"%s\"", transfer->url.host);
			break;
		case CURLE_COULDNT_RESOLVE_PROXY:
			floe_fail(st, FLOE_ERR_DNS, "cannot resolve the host of the proxy");
			break;
		case CURLE_COULDNT_CONNECT:
		{
			const char *reason = system_words(transfer);

			floe_fail(st, FLOE_ERR_CONNECT, "cannot connect to %s: %s", who, reason ? reason : words);
			break;
		}
		case CURLE_OPERATION_TIMEDOUT:
			describe_timeout(transfer, st);
			break;
		case CURLE_GOT_NOTHING:
		case CURLE_SEND_ERROR:
		case CURLE_PARTIAL_FILE:
			describe_lost_connection(transfer, st);
			break;
		case CURLE_RECV_ERROR:
			if (is_framing_error(transfer))
				floe_fail_detail(st, FLOE_ERR_PROTOCOL, words, "the answer of %s is malformed", who);
			else
				describe_lost_connection(transfer, st);
			break;
		case CURLE_SSL_CACERT_BADFILE:
			floe_fail(st, FLOE_ERR_CONFIG, "cannot read the certificate authorities in \"%.150s\"",
					  transfer->request.ca_file ? transfer->request.ca_file : "the system's store");
			break;
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_INVALIDCERTSTATUS:
			transfer->hopeless = true;
			floe_fail(st, FLOE_ERR_TLS, "TLS with %s failed: %s", who, words);
			break;
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_SHUTDOWN_FAILED:
			/* FLOE_ERR_TLS promises that nothing of the request was sent */
			if (transfer->step < FLOE_HTTP_SENDING)
				floe_fail(st, FLOE_ERR_TLS, "TLS with %s failed: %s", who, words);
			else
				describe_lost_connection(transfer, st);
			break;
		case CURLE_OUT_OF_MEMORY:
			/* libcurl before 8.6 says so, too, when one header line is longer than it takes */
			if (transfer->step == FLOE_HTTP_READING && transfer->body_bytes == 0)
				floe_fail(st, FLOE_ERR_TOO_LARGE, "the answer of %s has a header that is too long", who);
			else
				floe_fail(st, FLOE_ERR_NOMEM, "out of memory during a request to %s", who);
			break;
		case CURLE_TOO_LARGE_8_6:
			floe_fail(st, FLOE_ERR_TOO_LARGE, "the answer of %s has a header that is too long", who);
			break;
		case CURLE_BAD_CONTENT_ENCODING:
			floe_fail_detail(st, FLOE_ERR_PROTOCOL, words, "the answer of %s cannot be decompressed", who);
			break;
		case CURLE_HTTP2:
		case CURLE_HTTP2_STREAM:
			/* a stream that the server ends in its middle is a lost connection; who speaks HTTP/1 does not begin one */
			if (transfer->step == FLOE_HTTP_READING)
				describe_lost_connection(transfer, st);
			else
				floe_fail_detail(st, FLOE_ERR_PROTOCOL, words, "%s does not speak HTTP/2", who);
			break;
		case CURLE_UNSUPPORTED_PROTOCOL:
		case CURLE_WEIRD_SERVER_REPLY:
			floe_fail_detail(st, FLOE_ERR_PROTOCOL, words, "%s sent an answer that is not HTTP", who);
			break;
		default:
			floe_fail_detail(st, FLOE_ERR_INTERNAL, words, "request to %s failed in libcurl with code %d", who,
							 (int) result);
			break;
	}
}
