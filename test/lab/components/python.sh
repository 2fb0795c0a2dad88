# The Python of the lab: pyiceberg and fastavro, the independent readers behind test/lab/judge.py and tables.py, PyHive for statements
# on Spark, psycopg2 for the end-to-end tests, cronsim, the judge of schedules, and the clang-format that the lint test compares with.
# About 100 MB down, 400 MB on disk.
# shellcheck shell=bash

python_fetch() {
	local dir=$1
	"$(base_python)" -m venv "$dir"
	# Everything that decides a result is pinned. Do not add pyiceberg's s3fs extra: with it pip backtracks for ten minutes.
	"$dir/bin/pip" --disable-pip-version-check install -q --use-pep517 "pyiceberg[pyarrow,pyiceberg-core,sql-sqlite]==$PYICEBERG_VERSION" \
		"pyarrow==$PYARROW_VERSION" "fastavro==$FASTAVRO_VERSION" backports.zstd python-snappy "psycopg2-binary==$PSYCOPG2_VERSION" \
		"pyhive==$PYHIVE_VERSION" thrift "cronsim==$CRONSIM_VERSION" "clang-format==$CLANG_FORMAT_VERSION"
	"$dir/bin/python" -c 'import pyiceberg, pyarrow, fastavro, psycopg2, cronsim, pyiceberg_core, backports.zstd, snappy; from pyhive import hive'
}

python_env() {
	echo "FLOE_PYTHON=$(lab_python)"
	echo "FLOE_CLANG_FORMAT=$(component_dir python)/bin/clang-format"
}
