#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "../../core/version.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// BLAKE2b with a digest of 16 bytes and no key (RFC 7693): Python's hashlib.blake2b(digest_size=16). It
/// finds every accidental change of a file, and who writes our files with another tool has it at hand. It
/// does not protect against somebody who changes a file on purpose, who can also change the checksum.
class Checksum {
 public:
  Checksum() { state_[0] ^= 0x01010000 ^ digest_size; }

  void add(const void* bytes, std::size_t count) {
    const auto* from = static_cast<const unsigned char*>(bytes);
    while (count > 0) {
      // The last block must be known as the last, so a full one waits until more comes.
      if (filled_ == block_.size()) compress(false);
      const std::size_t part = std::min(count, block_.size() - filled_);
      std::memcpy(block_.data() + filled_, from, part);
      filled_ += part;
      from += part;
      count -= part;
    }
  }
  /// With its length in front, so that the places where texts end count too.
  void add_text(std::string_view text) {
    add_number(text.size());
    add(text.data(), text.size());
  }
  /// As 8 bytes, the lowest first.
  void add_number(std::uint64_t number) {
    std::array<unsigned char, 8> bytes;
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<unsigned char>(number >> (8 * i));
    add(bytes.data(), bytes.size());
  }

  /// The digest in hexadecimal; ends the checksum.
  std::string hexadecimal() {
    std::fill(block_.begin() + static_cast<std::ptrdiff_t>(filled_), block_.end(),
              static_cast<unsigned char>(0));
    compress(true);
    std::string text;
    for (std::size_t i = 0; i < digest_size; ++i) {
      const auto byte = static_cast<unsigned>(state_[i / 8] >> (8 * (i % 8))) & 0xFFU;
      text += "0123456789abcdef"[byte / 16];
      text += "0123456789abcdef"[byte % 16];
    }
    return text;
  }

 private:
  static constexpr std::size_t digest_size = 16;
  static constexpr std::array<std::uint64_t, 8> start = {
      0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
      0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
  /// Which words of a block each of the ten kinds of rounds mixes in, and in what order.
  static constexpr unsigned char order[10][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                                  {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
                                                  {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
                                                  {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
                                                  {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
                                                  {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
                                                  {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
                                                  {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
                                                  {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
                                                  {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

  /// RFC 7693, section 3.2.
  void compress(bool is_last) {
    bytes_ += filled_;
    filled_ = 0;
    std::array<std::uint64_t, 16> m{}, v{};
    for (std::size_t i = 0; i < 128; ++i) m[i / 8] |= std::uint64_t{block_[i]} << (8 * (i % 8));
    for (std::size_t i = 0; i < 8; ++i) {
      v[i] = state_[i];
      v[i + 8] = start[i];
    }
    v[12] ^= bytes_;
    if (is_last) v[14] = ~v[14];
    const auto mix = [&v](std::size_t a, std::size_t b, std::size_t c, std::size_t d, std::uint64_t x,
                          std::uint64_t y) {
      v[a] += v[b] + x;
      v[d] = std::rotr(v[d] ^ v[a], 32);
      v[c] += v[d];
      v[b] = std::rotr(v[b] ^ v[c], 24);
      v[a] += v[b] + y;
      v[d] = std::rotr(v[d] ^ v[a], 16);
      v[c] += v[d];
      v[b] = std::rotr(v[b] ^ v[c], 63);
    };
    for (std::size_t round = 0; round < 12; ++round) {
      const auto& s = order[round % 10];
      for (std::size_t i = 0; i < 4; ++i) mix(i, i + 4, i + 8, i + 12, m[s[2 * i]], m[s[2 * i + 1]]);
      for (std::size_t i = 0; i < 4; ++i) {
        mix(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[s[8 + 2 * i]], m[s[9 + 2 * i]]);
      }
    }
    for (std::size_t i = 0; i < 8; ++i) state_[i] ^= v[i] ^ v[i + 8];
  }

  std::array<std::uint64_t, 8> state_ = start;
  std::array<unsigned char, 128> block_{};
  std::size_t filled_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
