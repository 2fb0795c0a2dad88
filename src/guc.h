/*
 * guc.h: floe's configuration parameters. Values with a unit carry it in the name.
 */
#ifndef FLOE_GUC_H
#define FLOE_GUC_H

#include "floe.h"

extern char *floe_allowed_hosts;
extern char *floe_allowed_file_roots;
extern char *floe_virtual_clock;
extern char *floe_databases;
extern char *floe_role;
extern bool floe_enabled;
extern bool floe_scheduler;
extern int floe_assessors;
extern int floe_connect_timeout_ms;
extern int floe_request_timeout_ms;
extern int floe_max_connections;
extern int floe_max_connections_per_host;
extern int floe_max_tables_in_flight;
extern int floe_max_metadata_kb;
extern int floe_max_manifest_kb;
extern int floe_max_assessment_mb;

extern void floe_guc_define(void);

/* The time floe acts by, in microseconds since 2000-01-01 UTC (TimestampTz). */
extern int64 floe_now(void);

#endif /* FLOE_GUC_H */
