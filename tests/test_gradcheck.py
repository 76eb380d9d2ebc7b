import numpy as np
import pytest

from limner.gradcheck import (
    eval_numerical_gradient,
    eval_numerical_gradient_array,
    grad_check_sparse,
    rel_error,
)


def test_rel_error_of_equal_opposite_and_tiny():
    assert rel_error(np.array([1.0, -2.0]), np.array([1.0, -2.0])) == 0
    assert rel_error(1.0, -1.0) == pytest.approx(1.0)
    assert rel_error(1e-12, 0.0) == pytest.approx(1e-4)


def test_gradient_of_a_number_and_x_stays(rng):
    x = rng.standard_normal((2, 3))
    kept = x.copy()
    grad = eval_numerical_gradient(lambda x: float(np.sum(x**3)), x, verbose=False)
    assert rel_error(grad, 3 * x**2) < 1e-8
    np.testing.assert_array_equal(x, kept)


def test_a_function_may_read_the_array_it_is_not_given():
    weights = np.array([2.0, 5.0])
    grad = eval_numerical_gradient(lambda _: float(weights[0] * weights[1]), weights, verbose=False)
    np.testing.assert_allclose(grad, [5.0, 2.0])


def test_verbose_prints_every_entry(capsys):
    eval_numerical_gradient(lambda x: float(x.sum()), np.zeros(2))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(")")[0] for line in lines] == ["(0,", "(1,"]


def test_gradient_of_an_array(rng):
    A, x, dout = rng.standard_normal((4, 3)), rng.standard_normal(3), rng.standard_normal(4)
    grad = eval_numerical_gradient_array(lambda x: A @ x, x, dout)
    assert rel_error(grad, A.T @ dout) < 1e-8


def test_gradient_of_an_array_that_is_computed_in_place(rng):
    x, buffer = rng.standard_normal(3), np.empty(3)
    grad = eval_numerical_gradient_array(lambda x: np.multiply(x, 2.0, out=buffer), x, np.ones(3))
    np.testing.assert_allclose(grad, [2, 2, 2], rtol=1e-8)


def test_sparse_check_detects_a_wrong_gradient(rng, capsys):
    x = rng.standard_normal((5, 5))

    def f(x):
        return float(np.sum(np.sin(x)))

    assert grad_check_sparse(f, x, np.cos(x), rng=rng) < 1e-8
    assert grad_check_sparse(f, x, 1.01 * np.cos(x), rng=rng) > 1e-3
    assert capsys.readouterr().out.count("relative error") == 20


def test_sparse_check_takes_the_global_state(capsys):
    x = np.arange(100.0)
    np.random.seed(3)
    grad_check_sparse(lambda x: float(np.sum(x**2)), x, 2 * x, num_checks=3)
    first = capsys.readouterr().out
    np.random.seed(3)
    grad_check_sparse(lambda x: float(np.sum(x**2)), x, 2 * x, num_checks=3)
    assert capsys.readouterr().out == first
