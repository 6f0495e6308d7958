//! Operators. Pure.
//!
//! Invariant: `&&` and `||` do not look at their right side when the left one decides.

use super::{Evaluator, Failed, Outcome};
use crate::diagnostic::Span;
use crate::expression::{BinaryOperator, Expr, UnaryOperator};
use crate::number::{ArithmeticError, Number};
use crate::value::{Type, Value};
use crate::value::{equal, marks_of, unknown_from};

impl Evaluator<'_> {
    pub(super) fn unary(&mut self, operator: UnaryOperator, operand: &Expr) -> Outcome {
        let value = self.value(operand)?;
        let ty = match operator {
            UnaryOperator::Negate => Type::Number,
            UnaryOperator::Not => Type::Bool,
        };
        let value = self.operand(&value, &ty, operand.span)?;
        let marks = value.marks();
        let result = match operator {
            UnaryOperator::Negate => value.as_number().map(|number| number.negate().into()),
            UnaryOperator::Not => value.as_bool().map(|truth| (!truth).into()),
        };
        Ok(result.map_or_else(
            || crate::value::unknown::not_null(&unknown_from(ty, [&value])),
            |value: Value| value.mark(marks),
        ))
    }

    pub(super) fn binary(&mut self, operator: BinaryOperator, left: &Expr, right: &Expr, span: Span) -> Outcome {
        match operator {
            BinaryOperator::And => self.logic(left, right, false),
            BinaryOperator::Or => self.logic(left, right, true),
            BinaryOperator::Equal => self.equality(left, right, true),
            BinaryOperator::NotEqual => self.equality(left, right, false),
            BinaryOperator::Less
            | BinaryOperator::LessOrEqual
            | BinaryOperator::Greater
            | BinaryOperator::GreaterOrEqual => self.comparison(operator, left, right),
            BinaryOperator::Add
            | BinaryOperator::Subtract
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Remainder => self.arithmetic(operator, left, right, span),
        }
    }

    /// A value for an operator: converted, and not null.
    pub(super) fn operand(&mut self, value: &Value, ty: &Type, span: Span) -> Outcome {
        if value.is_null() {
            return self.fail(span, |diagnostic| {
                diagnostic
                    .detail(format!("a {ty} is needed here, this is null"))
                    .help("use `coalesce` to give a value instead of null")
            });
        }
        self.convert(value, ty, "this operand does not fit", span)
    }

    /// `decisive` is the truth that decides: false for `&&`, true for `||`.
    fn logic(&mut self, left: &Expr, right: &Expr, decisive: bool) -> Outcome {
        let first = self.value(left)?;
        let first = self.operand(&first, &Type::Bool, left.span)?;
        if first.as_bool() == Some(decisive) {
            return Ok(first);
        }
        let second = self.value(right)?;
        let second = self.operand(&second, &Type::Bool, right.span)?;
        let marks = marks_of([&first, &second]);
        Ok(match (first.as_bool(), second.as_bool()) {
            (_, Some(truth)) if truth == decisive => second.mark(marks),
            (Some(_), Some(_)) => second.mark(marks),
            _ => crate::value::unknown::not_null(&unknown_from(Type::Bool, [&first, &second])),
        })
    }

    fn both(&mut self, left: &Expr, right: &Expr) -> Result<(Value, Value), Failed> {
        let first = self.value(left);
        let second = self.value(right);
        Ok((first?, second?))
    }

    fn equality(&mut self, left: &Expr, right: &Expr, wanted: bool) -> Outcome {
        let (first, second) = self.both(left, right)?;
        Ok(match equal(&first, &second) {
            Some(verdict) => Value::from(verdict == wanted).mark(marks_of([&first, &second])),
            None => crate::value::unknown::not_null(&unknown_from(Type::Bool, [&first, &second])),
        })
    }

    fn numbers(&mut self, left: &Expr, right: &Expr) -> Result<(Value, Value), Failed> {
        let (first, second) = self.both(left, right)?;
        let first = self.operand(&first, &Type::Number, left.span);
        let second = self.operand(&second, &Type::Number, right.span);
        Ok((first?, second?))
    }

    fn comparison(&mut self, operator: BinaryOperator, left: &Expr, right: &Expr) -> Outcome {
        let (first, second) = self.numbers(left, right)?;
        let (Some(one), Some(other)) = (first.as_number(), second.as_number()) else {
            return Ok(crate::value::unknown::not_null(&unknown_from(Type::Bool, [&first, &second])));
        };
        let verdict = match operator {
            BinaryOperator::Less => one < other,
            BinaryOperator::LessOrEqual => one <= other,
            BinaryOperator::Greater => one > other,
            _ => one >= other,
        };
        Ok(Value::from(verdict).mark(marks_of([&first, &second])))
    }

    fn arithmetic(&mut self, operator: BinaryOperator, left: &Expr, right: &Expr, span: Span) -> Outcome {
        let (first, second) = self.numbers(left, right)?;
        let (Some(one), Some(other)) = (first.as_number(), second.as_number()) else {
            return Ok(crate::value::unknown::not_null(&unknown_from(Type::Number, [&first, &second])));
        };
        let result: Result<Number, ArithmeticError> = match operator {
            BinaryOperator::Add => one.add(other),
            BinaryOperator::Subtract => one.subtract(other),
            BinaryOperator::Multiply => one.multiply(other),
            BinaryOperator::Divide => one.divide(other),
            _ => one.remainder(other),
        };
        match result {
            Ok(number) => Ok(Value::from(number).mark(marks_of([&first, &second]))),
            Err(error) => self.fail(span, |diagnostic| {
                diagnostic.detail(error.to_string()).help("guard it with a conditional: `n == 0 ? 0 : 1 / n`")
            }),
        }
    }
}
