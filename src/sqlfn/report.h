/*
 * report.h: the border between statuses and errors.
 */
#ifndef FLOE_SQLFN_REPORT_H
#define FLOE_SQLFN_REPORT_H

#include "base/status.h"
#include "compat.h"

/* Raises an ERROR with the status's SQLSTATE, message, detail and hint. */
FLOE_NORETURN extern void floe_report(const FloeStatus *st);

/* The same with "prefix: " before the message and another SQLSTATE (0: the status's). */
FLOE_NORETURN extern void floe_report_as(const FloeStatus *st, int sqlerrcode, const char *prefix);

#endif /* FLOE_SQLFN_REPORT_H */
