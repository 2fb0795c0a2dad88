-- floe 1.0: generated from src/sql/*.sql by "make floe--1.0.sql"; do not edit the generated file.
\echo Use "CREATE EXTENSION floe" to load this file. \quit

