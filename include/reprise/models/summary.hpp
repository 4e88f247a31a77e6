#pragma once

#include <algorithm>
#include <cmath>
#include <ostream>
#include <string>
#include <vector>

#include "../core/sequences.hpp"
#include "../core/text.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// The table of a model's layers that Keras's `summary` prints. A value: print it with `<<`.
struct Summary {
  struct Row {
    std::string layer;
    std::string type;
    SequenceShape output{};
    bool is_sequence = true;
    Index parameters = 0;
  };
  std::vector<Row> rows{};
  Index parameters = 0;
  /// Bytes of one parameter.
  Index scalar_size = 4;

  friend std::ostream& operator<<(std::ostream& out, const Summary& summary) {
    std::vector<std::vector<std::string>> cells = {{"Layer (type)", "Output Shape", "Param #"}};
    for (const Row& row : summary.rows) {
      const std::string features = std::to_string(row.output.features) + ")";
      cells.push_back({row.layer + " (" + row.type + ")",
                       row.is_sequence ? "(batch, " + std::to_string(row.output.steps) + ", " + features
                                       : "(batch, " + features,
                       with_commas(row.parameters)});
    }
    std::size_t width[3] = {0, 0, 0};
    for (const auto& line : cells) {
      for (std::size_t c = 0; c < 3; ++c) width[c] = std::max(width[c], line[c].size());
    }
    const std::string rule(width[0] + width[1] + width[2] + 8, '-');
    out << rule << '\n';
    for (std::size_t l = 0; l < cells.size(); ++l) {
      out << ' ' << cells[l][0] << std::string(width[0] - cells[l][0].size() + 3, ' ') << cells[l][1]
          << std::string(width[1] - cells[l][1].size() + 3 + width[2] - cells[l][2].size(), ' ')
          << cells[l][2] << '\n';
      if (l == 0) out << rule << '\n';
    }
    const auto kilobytes = static_cast<double>(summary.parameters * summary.scalar_size) / 1024.0;
    const std::string size = detail::fixed_text(std::round(kilobytes * 100.0) / 100.0, 2);
    return out << rule << "\n Total params: " << with_commas(summary.parameters) << " (" << size << " KB)\n";
  }

  static std::string with_commas(Index number) {
    std::string digits = std::to_string(number);
    for (auto place = static_cast<Index>(digits.size()) - 3; place > 0; place -= 3) {
      digits.insert(static_cast<std::size_t>(place), 1, ',');
    }
    return digits;
  }
};

}  // namespace REPRISE_ABI
}  // namespace reprise
