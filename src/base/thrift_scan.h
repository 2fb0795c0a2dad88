/*
 * thrift_scan.h: where a Thrift message ends that comes without a length.
 *
 * The binary protocol on an unframed transport, as the Hive Metastore speaks
 * it by default, says nowhere how long a message is: one has to walk through
 * it.  This walks through it once, however the bytes come in pieces; what they
 * mean is read afterwards (thrift.h), from the whole.
 */
#ifndef FLOE_BASE_THRIFT_SCAN_H
#define FLOE_BASE_THRIFT_SCAN_H

#include "base/thrift.h"

typedef enum FloeThriftScanResult
{
	FLOE_THRIFT_SCAN_MORE, /* all bytes belong to the message, and it goes on */
	FLOE_THRIFT_SCAN_END,  /* it ended; *used says behind which byte */
	FLOE_THRIFT_SCAN_BAD   /* it is no strict binary message, or is nested too deeply */
} FloeThriftScanResult;

typedef struct FloeThriftScanLevel
{
	bool is_struct;
	uint8_t types[2]; /* of the elements; for a map key and value in turn */
	uint64_t left;    /* values */
} FloeThriftScanLevel;

/* Zero-initialised is before the first byte of a message. */
typedef struct FloeThriftScan
{
	int step;
	uint64_t skip; /* bytes whose content does not matter */
	uint8_t head[6];
	int have;
	FloeThriftScanLevel levels[FLOE_THRIFT_MAX_DEPTH];
	int depth;
} FloeThriftScan;

extern FloeThriftScanResult floe_thrift_scan(FloeThriftScan *scan, const void *data, size_t len, size_t *used);

#endif /* FLOE_BASE_THRIFT_SCAN_H */
