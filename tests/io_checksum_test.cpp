#include <doctest/doctest.h>

#include <reprise/io/detail/checksum.hpp>
#include <string>

namespace {

std::string checksum_of(const std::string& text, std::size_t at_once) {
  reprise::detail::Checksum checksum;
  for (std::size_t first = 0; first < text.size(); first += at_once) {
    checksum.add(text.data() + first, std::min(at_once, text.size() - first));
  }
  return checksum.hexadecimal();
}

}  // namespace

TEST_CASE("checksum: the values that Python's hashlib.blake2b(digest_size=16) gives") {
  std::string bytes;
  for (int i = 0; i < 768; ++i) bytes += static_cast<char>(i % 256);
  for (const std::size_t at_once : std::initializer_list<std::size_t>{1, 7, 128, 1000}) {
    CHECK(checksum_of("", at_once) == "cae66941d9efbd404e4d88758ea67670");
    CHECK(checksum_of("abc", at_once) == "cf4ab791c62b8d2b2109c90275287816");
    CHECK(checksum_of(std::string(127, 'a'), at_once) == "2228006d5107a5239e500da574466288");
    CHECK(checksum_of(std::string(128, 'a'), at_once) == "1271d28e731afb57bdfba6bdaf3501be");
    CHECK(checksum_of(std::string(129, 'a'), at_once) == "68b7bafbad5055c4ebe6eb170a0f8524");
    CHECK(checksum_of(bytes, at_once) == "e0892860f9fc0da273b9db57e857c19a");
  }
}
