"""Kyuubi's REST interface as an engine: its protocol by a double (test/lab/kyuubi.py), every statement on the lab's real Spark.

The five operations, judged by pyiceberg; and what breaks, as in test_livy.py.
"""
import gateways

if __name__ == "__main__":
    gateways.run(gateways.Kyuubi)
