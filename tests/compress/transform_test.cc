// SPDX-License-Identifier: Apache-2.0
#include "compress/transform.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include <gtest/gtest.h>

#include "compress/operator.h"
#include "support/measured_laws.h"

namespace gradwire {
namespace {

using namespace testing;

class Nothing final : public Transform {
 public:
  std::string name() const override { return "nothing"; }
  Piece Image(const Piece& piece) const override { return piece; }
  void Forward(uint32_t, std::span<const double> v, std::span<double> image) const override {
    std::ranges::copy(v, image.begin());
  }
  void Back(uint32_t, std::span<const double> image, std::span<double> v) const override {
    std::ranges::copy(image, v.begin());
  }
  bool is_isometry() const override { return true; }
  bool is_common() const override { return true; }
};

/// Reflects at a Gaussian vector, then rotates the places by one: orthogonal, and neither symmetric nor a permutation.
class Orthogonal final : public Transform {
 public:
  std::string name() const override { return "orthogonal"; }
  Piece Image(const Piece& piece) const override { return piece; }
  void Forward(uint32_t, std::span<const double> v, std::span<double> image) const override {
    std::ranges::copy(v, image.begin());
    Reflect(image);
    if (!image.empty()) std::rotate(image.begin(), image.begin() + 1, image.end());
  }
  void Back(uint32_t, std::span<const double> image, std::span<double> v) const override {
    std::ranges::copy(image, v.begin());
    if (!v.empty()) std::rotate(v.begin(), v.end() - 1, v.end());
    Reflect(v);
  }
  bool is_isometry() const override { return true; }

 private:
  static void Reflect(std::span<double> v) {
    const std::vector<double> u = Gaussian<double>(v.size(), 5);
    double along = 0, square = 0;
    for (size_t i = 0; i < v.size(); ++i) along += u[i] * v[i], square += u[i] * u[i];
    for (size_t i = 0; i < v.size(); ++i) v[i] -= 2 * along / square * u[i];
  }
};

/// v times 2^worker, then a zero behind: an image of another size, and a map of each worker's own.
class Padded final : public Transform {
 public:
  std::string name() const override { return "padded"; }
  Piece Image(const Piece& piece) const override { return Piece::Whole(piece.numel + 1); }
  void Forward(uint32_t worker, std::span<const double> v, std::span<double> image) const override {
    for (size_t i = 0; i < v.size(); ++i) image[i] = std::ldexp(v[i], static_cast<int>(worker));
    image.back() = 0;
  }
  void Back(uint32_t worker, std::span<const double> image, std::span<double> v) const override {
    for (size_t i = 0; i < v.size(); ++i) v[i] = std::ldexp(image[i], -static_cast<int>(worker));
  }
};

std::shared_ptr<const Compressor> With(std::shared_ptr<const Transform> transform, const std::string& inner) {
  return MakeTransformed(std::move(transform), ParseCompressor(inner));
}

template <typename T>
void ExpectSame(const std::string& spec, size_t numel) {
  const auto bare = ParseCompressor(spec), whole = With(std::make_shared<Nothing>(), spec);
  const Piece piece = Piece::Whole(numel);
  const Site site = SiteOf(piece);
  const std::vector<T> v = Gaussian<T>(numel, 3), residual = Gaussian<T>(numel, 4);
  const Encoded<T> expected = Encode<T>(*bare, site, v, T{0.5}, residual);
  EXPECT_TRUE(Encode<T>(*whole, site, v, T{0.5}, residual) == expected);
  EXPECT_TRUE(SameBits(Decode<T>(*whole, site, expected.bytes), Decode<T>(*bare, site, expected.bytes)));
  const auto constants = [&](const Compressor& c) {
    return std::tuple(c.omega(piece), c.delta(piece), c.unbiased(), c.linear(), c.contracts(piece), c.scope(),
                      c.variable(), c.Bytes(piece, kDtypeOf<T>),
                      c.PaperBits(BitRules()[0], piece, kDtypeOf<T>, expected.bytes));
  };
  EXPECT_EQ(constants(*whole), constants(*bare));
}

TEST(Transformed, ByTheIdentityIsTheOperatorBitForBit) {
  for (const std::string& spec : ExampleSpecs())
    for (const size_t numel : {0, 1, 7, 1500}) {
      SCOPED_TRACE(spec + ", " + std::to_string(numel));
      ExpectSame<float>(spec, numel);
      ExpectSame<double>(spec, numel);
    }
}

template <typename T>
std::string OrthogonalBreaks(const std::string& spec) {
  const auto compressor = With(std::make_shared<Orthogonal>(), spec);
  for (const PieceCase<T>& c : Cases<T>()) {
    if (c.x.size() > 1024 || c.name.find("largest") != c.name.npos || c.name.find("denormals") != c.name.npos) continue;
    const std::string mean = sizeof(T) == 4 ? MeanIsTheVector<T>(*compressor, c) : "";  // T^-1 T rounds as doubles do
    for (const std::string& broken : {OmegaHolds<T>(*compressor, c), DeltaHolds<T>(*compressor, c), mean})
      if (!broken.empty()) return c.name + ": " + broken;
  }
  return {};
}

TEST(Transformed, ByAnOrthogonalMatrixKeepsTheConstants) {
  for (const char* spec : {"identity", "randk:30%", "topk:30%", "qsgd:3", "unscale(randk:2)"}) {
    EXPECT_EQ(OrthogonalBreaks<float>(spec), "") << spec;
    EXPECT_EQ(OrthogonalBreaks<double>(spec), "") << spec;
  }
}

TEST(Transformed, KeepsTheLargestInTheImage) {
  const std::vector<double> x = Gaussian<double>(20);
  const Site site = SiteOf(Piece::Whole(20));
  std::vector<double> image(20), kept(20);
  Orthogonal().Forward(0, x, image);
  Orthogonal().Back(0, Apply(*ParseCompressor("topk:3"), site, image), kept);
  EXPECT_EQ(Apply(*With(std::make_shared<Orthogonal>(), "topk:3"), site, x), kept);
}

TEST(Transformed, IsTheSendersWhereEachHasItsOwn) {
  const auto compressor = With(std::make_shared<Padded>(), "identity");
  const std::vector<float> x = Gaussian<float>(7);
  Site site = SiteOf(Piece::Whole(7));  // worker 3
  const Encoded<float> sent = Encode(*compressor, site, x);
  EXPECT_EQ(LoadAt<float>(sent.bytes, 2), 8 * x[2]);
  site.worker = 1;  // a receiver's site names nobody; the payload does
  const Payload payload{sent.bytes, 3};
  const float one = 1;
  std::vector<float> out(7);
  Lane lane;
  compressor->Decode(site, lane, {&payload, 1}, std::span(&one, 1), Into::kWrite, std::span(out));
  EXPECT_TRUE(SameBits(out, x));
  EXPECT_FALSE(compressor->linear());
}

TEST(Transformed, HasBytesAndBitsOfTheImage) {
  const auto compressor = With(std::make_shared<Padded>(), "identity");
  EXPECT_EQ(compressor->Bytes(Piece::Whole(7), Dtype::kF32), 8 * 4);
  EXPECT_EQ(compressor->PaperBits(BitRules()[0], Piece::Whole(7), Dtype::kF32, {}), 8 * 32);
  EXPECT_EQ(compressor->spec(), "padded(identity)");
  EXPECT_EQ(compressor->omega(Piece::Whole(7)), std::nullopt) << "no isometry, and no constant of its own";
}

TEST(Transformed, NeverSendsOrRemembersWhatIsNotFinite) {
  for (const char* spec : {"identity", "qsgd:3", "topk:2"}) {
    const std::vector<float> x(7, std::numeric_limits<float>::max());
    const auto compressor = With(std::make_shared<Padded>(), spec);  // the image is beyond a float
    const Encoded<float> sent = Encode(*compressor, SiteOf(Piece::Whole(7)), x);
    for (const float left : sent.residual_out) EXPECT_TRUE(std::isfinite(left)) << spec;
    for (const float y : Decode<float>(*compressor, SiteOf(Piece::Whole(7)), sent.bytes)) EXPECT_TRUE(std::isfinite(y));
  }
}

}  // namespace
}  // namespace gradwire
