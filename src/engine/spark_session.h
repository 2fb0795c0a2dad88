/*
 * spark_session.h: what sessions of Spark need whichever way they are opened.
 */
#ifndef FLOE_ENGINE_SPARK_SESSION_H
#define FLOE_ENGINE_SPARK_SESSION_H

#include "engine/ops.h"

/* An expression that fits the key of every setting which Spark's pages must not show; NULL when the arena refuses. */
extern const char *floe_spark_redaction(FloeArena *arena, const FloeEngineTarget *target);

#endif /* FLOE_ENGINE_SPARK_SESSION_H */
