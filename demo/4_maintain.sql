-- The whole pass: assess, decide, dispatch to Spark, follow, and prove the effect from the tables' metadata.
CALL floe.run_maintenance('lake.**', wait => true);
