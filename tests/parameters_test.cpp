#include "gradient_check.hpp"

#include <reprise/core/parameters.hpp>
#include <reprise/layers/dense.hpp>
#include <reprise/layers/lstm.hpp>

namespace {

using reprise::Index;
using reprise::ParameterTable;

TEST_CASE("tensors stand one after the other without gaps") {
  ParameterTable table;
  CHECK(table.size() == 0);
  table.add("kernel", 3, 4, false);
  table.add("bias", 3, 1, true);
  table.add("other", 2, 5, false);
  CHECK(table.size() == 25);
  CHECK(table.entries().size() == 3);
  CHECK(table.at("kernel").offset == 0);
  CHECK(table.at("bias").offset == 12);
  CHECK(table.at("bias").is_vector);
  CHECK(table.at("other").offset == 15);
  CHECK(table.at("other").size() == 10);
  CHECK_FALSE(table.at("other").is_vector);
  Index end = 0;
  for (const auto& entry : table) {
    CHECK(entry.offset == end);
    end += entry.size();
  }
  CHECK(end == table.size());
}

TEST_CASE("an unknown name is named, and so are those that are known") {
  ParameterTable table;
  table.add("kernel", 3, 4, false);
  table.add("bias", 3, 1, true);
  const std::string message = test::error_of([&] { return table.at("weight"); });
  CHECK(test::contains(message, "weight"));
  CHECK(test::contains(message, "kernel, bias"));
}

TEST_CASE("a layer's table and its maps name the same places") {
  for (const bool use_bias : {true, false}) {
    CAPTURE(use_bias);
    ParameterTable table;
    const reprise::Lstm<double> lstm(3, {.units = 5, .use_bias = use_bias});
    const reprise::Dense<double> dense(5, {.units = 2, .use_bias = use_bias});
    lstm.add_parameters(table, "encoder.0.");
    const Index first = table.size();
    CHECK(first == lstm.parameter_count());
    dense.add_parameters(table, "output.");
    CHECK(table.size() == lstm.parameter_count() + dense.parameter_count());
    CHECK(lstm.parameter_count() == 4 * 5 * (3 + 5 + (use_bias ? 1 : 0)));
    CHECK(dense.parameter_count() == 2 * (5 + (use_bias ? 1 : 0)));

    const reprise::Vector<double> theta(table.size());
    const auto check = [&](const std::string& name, const auto& map, Index rows, Index cols) {
      CAPTURE(name);
      const auto& info = table.at(name);
      CHECK(map.data() == theta.data() + info.offset);
      CHECK(map.rows() == rows);
      CHECK(map.cols() == cols);
      CHECK(info.rows == rows);
      CHECK(info.cols == cols);
      CHECK(info.is_vector == (cols == 1));
    };
    check("encoder.0.kernel", lstm.cell().kernel(theta.data()), 20, 3);
    check("encoder.0.recurrent_kernel", lstm.cell().recurrent_kernel(theta.data()), 20, 5);
    check("output.kernel", dense.kernel(theta.data() + first), 2, 5);
    CHECK(table.entries().size() == (use_bias ? 5 : 3));
    if (use_bias) {
      check("encoder.0.bias", lstm.cell().bias(theta.data()), 20, 1);
      check("output.bias", dense.bias(theta.data() + first), 2, 1);
    } else {
      CHECK(lstm.cell().bias(theta.data()).size() == 0);
      CHECK(dense.bias(theta.data() + first).size() == 0);
    }
  }
}

}  // namespace
