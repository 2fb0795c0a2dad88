CREATE EXTENSION floe;

-- An Iceberg REST catalog with OAuth2, its tables in an S3; secrets live in the USER MAPPING only.
CREATE SERVER lake TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog
  OPTIONS (uri :'catalog_uri', warehouse :'warehouse', oauth2_server_uri :'oauth2_uri', s3_endpoint :'s3_endpoint');
CREATE USER MAPPING FOR CURRENT_USER SERVER lake
  OPTIONS (client_id :'key', client_secret :'secret', s3_access_key_id :'key', s3_secret_access_key :'secret');

-- A Spark that runs the maintenance.
CREATE SERVER spark TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine
  OPTIONS (url :'spark_url');
CREATE USER MAPPING FOR CURRENT_USER SERVER spark;
