// SPDX-License-Identifier: Apache-2.0
// src/wire/FORMAT.md suffices to read what is sent, and its example is what is sent.
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/operators.h"
#include "support/ranks.h"
#include "support/recording_collective.h"
#include "wire/format_decoder.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

using namespace testing;

constexpr uint64_t kSeed = 0x1234567887654321;

/// What a real exchange sent and delivered.
template <typename T>
struct Sent {
  std::vector<std::vector<std::byte>> messages;  ///< of the last step, by rank
  std::vector<T> result;
};

/// One bucket with all parameters, `steps` steps of the gradients that fill(rank, bucket's values) makes.
template <typename T, typename Fill>
Sent<T> ExchangeBucket(const CommConfig& comm, const std::vector<Parameter>& parameters, int ranks, uint64_t steps,
                       Fill&& fill) {
  Sent<T> sent;
  sent.messages.resize(static_cast<size_t>(ranks));
  RunRanks(ranks, [&](Collective& collective) {
    RecordingCollective recording(collective);
    Exchange<T> exchange(recording, parameters, MakeParts(comm, kSeed));
    DirectSink<T> sink(exchange);
    Buckets<T> buckets(parameters, OneBucket(parameters));
    for (uint64_t step = 0; step < steps; ++step) {
      fill(collective.rank(), buckets.At(0).values);
      buckets.Exchange(sink, step);
    }
    sent.messages[static_cast<size_t>(collective.rank())] = recording.messages().back();
    if (collective.rank() == 0) sent.result.assign(buckets.At(0).values.begin(), buckets.At(0).values.end());
  });
  return sent;
}

format::Message Plain(const std::vector<std::byte>& message) {
  const auto* begin = reinterpret_cast<const unsigned char*>(message.data());
  return {begin, begin + message.size()};
}

/// One piece, three pieces with a short last one, an empty one, 1-D, small.
const std::vector<Parameter> kParameters = {
    {"conv", {60, 50}}, {"long", {131100, 1}}, {"empty", {0, 3}}, {"norm", {2000}}, {"small", {10, 10}}};
const std::vector<format::Tensor> kTensors = {{3000, 2}, {131100, 2}, {0, 2}, {2000, 1}, {100, 2}};

struct Setting {
  std::string spec;
  bool tensor, compress_1d;
};

format::Settings DecoderSettings(const Setting& setting) {
  format::Settings settings{setting.spec, kSeed};
  settings.ranks = 3;
  settings.tensor = setting.tensor, settings.compress_1d = setting.compress_1d, settings.min_compress_numel = 500;
  return settings;
}

template <typename T>
void ExpectDocumentSuffices(const Setting& setting) {
  CommConfig comm;
  comm.method = "dcgd", comm.compressor = setting.spec, comm.topology = "allgather";
  comm.piece = setting.tensor ? "tensor" : "fixed";
  comm.min_compress_numel = 500, comm.compress_1d = setting.compress_1d;
  const Sent<T> sent = ExchangeBucket<T>(comm, kParameters, 3, 1, [](int rank, std::span<T> values) {
    static const std::vector<T> numbers = Gaussian<T>(140000);
    std::copy_n(numbers.begin() + rank, values.size(), values.begin());
  });
  std::vector<std::vector<T>> decoded;
  for (const auto& message : sent.messages)
    decoded.push_back(format::Bucket<T>(Plain(message), DecoderSettings(setting), kTensors, {0, 1, 2, 3, 4}));
  EXPECT_TRUE(SameBits(format::Result(decoded, {1, 1, 1}), sent.result))
      << setting.spec << (setting.tensor ? ", tensor" : "");
}

class FormatOf : public ::testing::TestWithParam<std::string> {};

TEST_P(FormatOf, DocumentSufficesToDecodeAnExchange) {
  ExpectDocumentSuffices<float>({GetParam(), /*tensor=*/false, /*compress_1d=*/false});
  ExpectDocumentSuffices<float>({GetParam(), /*tensor=*/true, /*compress_1d=*/true});
  ExpectDocumentSuffices<double>({GetParam(), /*tensor=*/false, /*compress_1d=*/true});
}

TEST(Format, DocumentSufficesToDecodeMessagesOfAPartOfTheWorkers) {
  const std::vector<Parameter> parameters = {{"a", {60, 50}}, {"b", {131100, 1}}};
  for (const std::string participation : {"nice:50%", "iid:50%", "independent:50%,20%,30%", "sets:0+1=1,2=2,2+3=1.5"})
    for (const uint64_t steps : {1, 2, 5}) {
      CommConfig comm;
      comm.method = "dcgd", comm.compressor = "qsgd:7", comm.participation = participation;
      comm.min_compress_numel = 0, comm.compress_1d = true;
      const Sent<float> sent = ExchangeBucket<float>(comm, parameters, 4, steps, [](int rank, std::span<float> values) {
        static const std::vector<float> numbers = Gaussian<float>(140000);
        std::copy_n(numbers.begin() + rank, values.size(), values.begin());
      });
      format::Settings settings{"qsgd:7", kSeed};
      settings.compress_1d = true, settings.participation = participation, settings.ranks = 4;
      std::vector<std::vector<float>> decoded;
      for (const auto& message : sent.messages) {
        decoded.push_back(format::Bucket<float>(Plain(message), settings, {{3000, 2}, {131100, 2}}, {0, 1}));
        EXPECT_EQ(std::memcmp(&message[48], &sent.messages[0][48], 8), 0) << "layout";
      }
      const std::vector<double> weights = format::Weights(settings, steps - 1);
      EXPECT_GT(std::ranges::count(weights, 0), 0);
      EXPECT_TRUE(SameBits(format::Result(decoded, weights), sent.result)) << participation << ", step " << steps - 1;
    }
}

/// Whether an exchange of several parameters without shapes can carry the operator.
bool Travels(const std::string& spec) {
  return ParseCompressor(spec)->scope() == Scope::kPiece && !ParseCompressor(spec)->sees_shape();
}

template <typename T>
void ExpectDocumentSufficesForAPayload(const std::string& spec, const gradwire::Piece& piece) {
  const Site site = {kSeed, Purpose::kCompress, 2, (uint64_t{1} << 33) + 5, 7, piece};
  const auto compressor = ParseCompressor(spec);
  const std::vector<std::byte> bytes = Encode(*compressor, site, Gaussian<T>(piece.numel)).bytes;
  const format::Coded coded{spec,        {piece.numel}, {kSeed, site.worker, site.step, site.parameter, 0},
                            piece.rows,  piece.cols,    piece.symmetric,
                            bytes.size()};
  size_t at = 0;
  std::vector<T> values = format::Piece<T>(Plain(bytes), at, coded);
  for (T& x : values) x += T{0};  // a sum begins with +0
  EXPECT_TRUE(SameBits(values, Decode<T>(*compressor, site, bytes))) << spec;
  EXPECT_EQ(at, bytes.size());
}

TEST(Format, DocumentSufficesToDecodePayloadsOfTheWholeModel) {
  for (const std::string& spec : ExampleSpecs())
    for (const size_t numel : {1, 1000, 70000}) {
      if (Travels(spec)) continue;
      ExpectDocumentSufficesForAPayload<float>(spec, Piece::Whole(numel));
      ExpectDocumentSufficesForAPayload<double>(spec, Piece::Whole(numel));
    }
}

TEST(Format, DocumentSufficesToDecodeMatrices) {
  for (const std::string& spec : ExampleSpecs())
    for (const Piece& piece : {MatrixPiece(5, 5), MatrixPiece(30, 50), SymmetricPiece(6), SymmetricPiece(50)}) {
      ExpectDocumentSufficesForAPayload<float>(spec, piece);
      ExpectDocumentSufficesForAPayload<double>(spec, piece);
    }
}

std::vector<std::string> SpecsToDecode() {
  std::vector<std::string> specs = ExampleSpecs();
  std::erase_if(specs, [](const std::string& spec) { return !Travels(spec); });
  specs.insert(specs.end(), {"topk:101", "topk:2", "topk:0.05%",  // shares: the last piece first; one each; small
                             "scaled(threshold:0.5,2)", "compose(nu_randk:10%,sign)", "threshold:100"});
  return specs;
}

INSTANTIATE_TEST_SUITE_P(EveryOperator, FormatOf, ::testing::ValuesIn(SpecsToDecode()),
                         [](const auto& info) { return NameOfSpec(info.param); });

/// The hexadecimal bytes of a block ```hex NAME of the document.
std::string Documented(const std::string& name) {
  std::ifstream file(GRADWIRE_SOURCE_DIR "/src/wire/FORMAT.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string open = "```hex " + name + "\n";
  const size_t begin = text.find(open);
  if (begin == text.npos) return "no block " + name;
  std::istringstream block(
      text.substr(begin + open.size(), text.find("```", begin + open.size()) - begin - open.size()));
  std::string bytes;
  for (std::string line; std::getline(block, line);) bytes += line.substr(0, line.find('|'));  // a remark may follow
  std::erase_if(bytes, [](unsigned char c) { return std::isspace(c); });
  return bytes;
}

std::string Hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte b : bytes)
    for (const unsigned digit : {static_cast<unsigned>(b) >> 4, static_cast<unsigned>(b) & 15})
      text += "0123456789abcdef"[digit];
  return text;
}

/// The message of the document's example, its token replaced: that one is drawn anew for every job.
std::vector<std::byte> ExampleMessage(const std::string& spec) {
  CommConfig comm;
  comm.method = "dcgd", comm.compressor = spec, comm.topology = "allgather", comm.min_compress_numel = 4;
  const Sent<float> sent =
      ExchangeBucket<float>(comm, {{"w", {3, 4}}, {"b", {2}}}, 2, 8, [](int, std::span<float> values) {
        std::ranges::copy(std::vector<float>{0.5, -1.5, 2, 0, -0.25, 1, -3, 0.75, 1.25, -0.5, 0.125, -1.125, 0.25, -8},
                          values.begin());
      });
  std::vector<std::byte> message = sent.messages[1];
  constexpr uint64_t kToken = 0x0123456789abcdef;
  std::memcpy(message.data() + offsetof(Frame, token), &kToken, sizeof(kToken));
  return message;
}

TEST(FormatExample, MessageIsTheDocumentedOne) { EXPECT_EQ(Hex(ExampleMessage("sign")), Documented("message")); }

TEST(FormatExample, PayloadsAreTheDocumentedOnes) {
  for (const std::string spec : {"identity", "fp16", "bf16", "topk:3", "qsgd:7", "natural"}) {
    const size_t size = ParseCompressor(spec)->Bytes(Piece::Whole(12), Dtype::kF32);
    EXPECT_EQ(Hex(std::span<const std::byte>(ExampleMessage(spec)).subspan(sizeof(Frame), size)), Documented(spec))
        << spec;
  }
}

}  // namespace
}  // namespace gradwire
