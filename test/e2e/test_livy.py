"""Livy as an engine: its protocol by a double (test/lab/livy.py), every statement on the lab's real Spark.

The five operations, judged by pyiceberg; and what breaks: the double killed before and after its answers, in mid-run and after the end, old
servers, logins, gateways that say 502, PostgreSQL killed, sessions that die. After each: a true final row, nothing twice, no session left.
"""
import gateways

if __name__ == "__main__":
    gateways.run(gateways.Livy)
